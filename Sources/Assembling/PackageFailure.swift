/// Why packages could not be installed into the root.
public enum PackageFailure: Error, Sendable, Equatable, CustomStringConvertible {
  case missing(package: String)
  /// The blob of a package holds other bytes; it was removed, so that the next build fetches it.
  case damaged(package: String, reason: String)
  /// The deb is not what a deb is.
  case malformed(package: String, reason: String)
  /// An entry of the package that must not or cannot be unpacked.
  case refused(package: String, path: String, reason: String)
  /// A maintainer script that runs before its package is unpacked failed.
  case script(package: String, name: String, ending: String, output: [String])
  /// A program in the root failed; `ending` says how, `output` is the end of what it printed.
  case program(operation: String, ending: String, output: [String])
  /// Files of packages are not as they were unpacked; lines of `dpkg --verify`.
  case changed(findings: [String])

  public var description: String {
    switch self {
    case .missing(let package):
      "the deb of package '\(package)' is not in the store; build again to fetch it"
    case .damaged(let package, let reason):
      "the stored deb of package '\(package)' is damaged: \(reason); "
        + "it was removed, build again to fetch it anew"
    case .malformed(let package, let reason):
      "cannot read the deb of package '\(package)': \(reason)"
    case .refused(let package, let path, let reason):
      "cannot unpack '\(path)' of package '\(package)': \(reason)"
    case .script(let package, let name, let ending, let output):
      "the \(name) script of package '\(package)' failed: \(ending)\(tail(output))"
    case .program(let operation, let ending, let output):
      "cannot \(operation): \(ending)\(tail(output))"
    case .changed(let findings):
      "configuring the packages changed files of theirs\(tail(findings))"
    }
  }

  private func tail(_ output: [String]) -> String {
    output.isEmpty ? "" : ":\n  " + output.suffix(20).joined(separator: "\n  ")
  }
}
