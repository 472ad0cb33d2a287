internal import Glibc

/// Why a namespace or a sandbox could not be made or used.
public enum IsolationFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// This machine does not let this user have a user namespace; the obstacle says what to do.
  case obstacle(NamespaceObstacle)
  /// A system call failed before a sandbox's command ran.
  case refused(operation: String, code: Int32)
  /// Something killed a sandbox before its command ended.
  case killed(command: String)
  /// The value cannot be handed to a program.
  case unfit(value: String, reason: String)

  public var description: String {
    switch self {
    case .obstacle(let obstacle): obstacle.description
    case .refused(let operation, let code):
      "cannot \(operation): \(message(of: code))" + (hint(operation, code).map { "; \($0)" } ?? "")
    case .killed(let command):
      "'\(command)' was killed from outside its sandbox; was there too little memory?"
    case .unfit(let value, let reason): "cannot pass '\(value)' to a program: \(reason)"
    }
  }
}

/// What is known to help against a refusal.
private func hint(_ operation: String, _ code: Int32) -> String? {
  switch (operation, code) {
  case ("mount '/proc'", EPERM):
    "parts of /proc are hidden here, as in a container; run the container with "
      + "'--security-opt systempaths=unconfined'"
  case (_, ENOSYS): "Linux 5.9 or newer is needed"
  case (_, ENOSPC): "a limit of namespaces or mounts is reached; see 'sysctl user'"
  default: nil
  }
}

/// The system's words for an error number.
func message(of code: Int32) -> String { String(cString: strerror(code)) }
