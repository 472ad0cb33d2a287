internal import Model

/// Why what a recipe adds to the packages could not be put into the root.
///
/// A fault that the recipe's author can mend is a `FaultyRecipe` instead.
public enum CustomiseFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// A member of an archive must not be unpacked.
  case refused(archive: String, member: String, reason: String)
  /// A file that the recipe names, or one within it, cannot be read.
  case unreadable(path: String, reason: String)
  /// An account file of the image has a line that is none.
  case malformed(path: String, line: Int)
  /// A tarball of npm is not what the lock promises.
  case wrongIntegrity(package: String, expected: String, actual: String)
  /// A tool of npm has no file for one of its commands.
  case noProgram(command: String, package: String, path: String)
  /// A `[[run]]` did not end with status 0; `output` holds the last lines that it printed.
  case run(name: String, ending: String, output: [String])

  /// An install script of a package of npm did not end with status 0.
  case script(package: String, line: String, ending: String, output: [String])

  public var description: String {
    switch self {
    case .refused(let archive, let member, let reason):
      "cannot unpack '\(member)' of '\(archive)': \(reason)"
    case .unreadable(let path, let reason): "cannot read '\(path)': \(reason)"
    case .malformed(let path, let line):
      "cannot read '\(path)' of the image: line \(line) is malformed"
    case .wrongIntegrity(let package, let expected, let actual):
      "'\(package)' in the store is not what the lock names: its hash is \(actual), not \(expected)"
    case .noProgram(let command, let package, let path):
      "the command '\(command)' of '\(package)' has no program: '\(path)' is not there"
    case .script(let package, let line, let ending, let output):
      "the install script '\(line)' of '\(package)' failed: \(ending)"
        + (output.isEmpty ? "" : ":\n  " + output.joined(separator: "\n  "))
    case .run(let name, let ending, let output):
      "run '\(name)' failed: \(ending)"
        + (output.isEmpty ? "" : ":\n  " + output.joined(separator: "\n  "))
    }
  }
}

extension FaultyRecipe {
  /// One fault.
  init(at position: SourcePosition, _ message: String, hint: String? = nil) {
    self.init([Diagnostic(at: position, message, hint: hint)])
  }
}
