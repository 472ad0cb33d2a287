public import Model

/// What all checks of an image had to say.
public struct Report: Sendable, Equatable, Encodable {
  /// In the order in which they ran.
  public var results: [CheckResult]

  public init(_ results: [CheckResult] = []) { self.results = results }

  /// What a manifest says of it.
  public init(_ checks: [Manifest.Check]) {
    results = checks.map { check in
      CheckResult(
        name: check.id, phase: check.phase, outcome: check.result, seconds: check.seconds ?? 0,
        remark: check.summary)
    }
  }

  public var findings: [Finding] { results.flatMap(\.findings) }
  public var failures: [CheckResult] { results.filter { $0.outcome == .failed } }
  public var hasFailed: Bool { !failures.isEmpty }

  /// The results as manifests have them.
  public var manifestChecks: [Manifest.Check] {
    results.map { result in
      Manifest.Check(
        id: result.name, phase: result.phase, result: result.outcome, tool: nil,
        summary: result.remark ?? result.findings.first.map { "\($0)" },
        seconds: result.seconds)
    }
  }
}

/// An image that is not published, with everything that speaks against it.
public struct CheckFailure: Error, Sendable, CustomStringConvertible {
  public var report: Report
  /// The folder on the host in which the evidence lies.
  public var evidence: String

  public init(report: Report, evidence: String) {
    self.report = report
    self.evidence = evidence
  }

  /// How many findings of one check the message lists.
  private static let listed = 20

  public var description: String {
    let failures = report.failures
    let count = failures.count
    var lines = [
      "the image failed \(count) \(count == 1 ? "check" : "checks"); nothing was published"
    ]
    for result in failures {
      lines += result.findings.prefix(Self.listed).map { "  \($0)" }
      if result.findings.count > Self.listed {
        lines.append("  … and \(result.findings.count - Self.listed) more of '\(result.name)'")
      }
    }
    lines.append("  the evidence is in '\(evidence)'")
    return lines.joined(separator: "\n")
  }
}
