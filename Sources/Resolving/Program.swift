internal import Subprocess
internal import SystemPackage

/// What a program of the host printed and how it ended.
struct ProgramResult: Sendable {
  /// Nil: a signal ended it.
  var exitStatus: Int?
  var output: String
  var errors: String

  var isSuccess: Bool { exitStatus == 0 }

  /// The error for an end that we have no better words for.
  func failure(of program: String) -> ResolvingFailure {
    let text = [errors, output].map { $0.trimmed }.first { !$0.isEmpty } ?? "no message"
    return .failed(
      program: program, status: exitStatus.map { "ended with status \($0)" } ?? "was killed",
      output: text)
  }
}

/// The variables that a program sees.
enum ProgramEnvironment {
  /// Only these, and a PATH with the system's folders.
  case clean([String: String])
  /// Those of our own process, for tools that the user configures, such as pip.
  case inherited
}

/// Runs a program found on PATH to its end; cancelling the task ends the program.
///
/// - Parameter target: receives standard output; nil: it is returned, 64 MiB at most.
/// - Throws: `.noProgram` when there is none of this name.
func run(
  _ name: String, _ arguments: [String], environment: ProgramEnvironment = .clean([:]),
  writingTo target: FilePath? = nil
) async throws -> ProgramResult {
  let variables: Environment
  switch environment {
  case .inherited: variables = .inherit.updating(["LC_ALL": "C.UTF-8"])
  case .clean(let own):
    var all: [Environment.Key: String] = [
      "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent",
    ]
    for (key, value) in own {
      guard let key = Environment.Key(rawValue: key) else { continue }
      all[key] = value
    }
    variables = .custom(all)
  }
  let executable: Executable = name.contains("/") ? .path(FilePath(name)) : .name(name)
  do {
    if let target {
      let file = try FileDescriptor.open(
        target, .writeOnly, options: [.create, .truncate, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
      let result = try await run(
        executable, arguments: Arguments(arguments), environment: variables,
        output: .fileDescriptor(file, closeAfterSpawningProcess: true),
        error: .string(limit: 1 << 20))
      return ProgramResult(
        exitStatus: result.terminationStatus.code, output: "", errors: result.standardError)
    }
    let result = try await run(
      executable, arguments: Arguments(arguments), environment: variables,
      output: .string(limit: 64 << 20), error: .string(limit: 1 << 20))
    return ProgramResult(
      exitStatus: result.terminationStatus.code, output: result.standardOutput,
      errors: result.standardError)
  } catch let error as SubprocessError where error.code == .executableNotFound {
    throw ResolvingFailure.noProgram(name)
  }
}

extension TerminationStatus {
  /// The exit status, nil after a signal.
  fileprivate var code: Int? {
    switch self {
    case .exited(let code): Int(code)
    case .signaled: nil
    }
  }
}

extension StringProtocol {
  /// Without white space at both ends.
  var trimmed: String {
    let start = drop { $0.isWhitespace }
    guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
    return String(start[...last])
  }
}
