internal import Model

/// apt found no solution, with what it printed.
struct AptRefusal: Error, Sendable {
  var output: String
  var errors: String

  /// The same as faults of the recipe: each at the package that apt names, if the recipe does.
  func explained(for recipe: Recipe) -> ResolvingFailure {
    var faults: [Diagnostic] = []
    let unmet = unmetDependencies
    for (name, reasons) in unmet {
      let request = recipe.packages.install.first { PackageRequest($0.value).name == name }
      let excluded = recipe.packages.exclude.first { exclusion in
        reasons.contains { $0.split(separator: " ").dropFirst().first == exclusion.value[...] }
      }
      guard request != nil || excluded != nil || faults.isEmpty else { continue }
      faults.append(
        Diagnostic(
          at: request?.position ?? excluded?.position ?? recipe.base.position,
          "'\(name)' cannot be installed: \(reasons.joined(separator: ", "))",
          hint: excluded.map { "'\($0.value)' is excluded at \($0.position)" }))
    }
    if faults.isEmpty {
      let lines = errors.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("E: ") }
      faults = lines.map { line in
        let request = recipe.packages.install.first {
          line.contains("'\(PackageRequest($0.value).name)'")
            || line.hasSuffix(" \(PackageRequest($0.value).name)")
        }
        return Diagnostic(
          at: request?.position ?? recipe.base.position, "apt says: \(line.dropFirst(3).trimmed)")
      }
    }
    return faults.isEmpty
      ? .failed(program: "apt-get", status: "found no solution", output: errors.trimmed)
      : .faulty(faults)
  }

  /// apt's list: ` name : Depends: other (>= 2) but it is not going to be installed`, where later
  /// reasons of the same package stand on lines of their own.
  private var unmetDependencies: [(name: String, reasons: [String])] {
    guard let start = output.firstRange(of: "unmet dependencies:\n")?.upperBound else { return [] }
    var all: [(name: String, reasons: [String])] = []
    for line in output[start...].split(whereSeparator: \.isNewline) {
      guard line.hasPrefix(" ") else { break }
      let text = line.trimmed
      if let colon = text.firstRange(of: " : ") {
        all.append((String(text[..<colon.lowerBound]), [String(text[colon.upperBound...])]))
      } else if !all.isEmpty {
        all[all.count - 1].reasons.append(text)
      }
    }
    return all
  }
}
