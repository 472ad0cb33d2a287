internal import Model

extension Report {
  /// The report for people: a line for each check with its time, and what it found below it.
  public var text: String {
    results.map { result in
      let name = result.name + String(repeating: " ", count: max(1, 24 - result.name.count))
      let time = "\(Int(result.seconds * 100 + 0.5))"
      let padded = String(repeating: "0", count: max(0, 3 - time.count)) + time
      let seconds = "\(padded.dropLast(2)).\(padded.suffix(2)) s"
      var line = "\(word(result.outcome))  \(name)\(seconds)"
      if let remark = result.remark { line += "  \(remark)" }
      return ([line] + result.findings.map { "      \($0)" }).joined(separator: "\n") + "\n"
    }.joined()
  }

  private func word(_ outcome: Manifest.Check.Result) -> String {
    switch outcome {
    case .passed: "ok  "
    case .warned: "warn"
    case .failed: "FAIL"
    case .skipped: "skip"
    }
  }
}
