internal import Glibc

/// Why a child process or a terminal could not be had.
public enum TerminalFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// No such program, neither as a path nor on the child's PATH.
  case programMissing(String)
  /// A system call failed; `code` is its errno.
  case failed(operation: String, code: Int32)

  public var description: String {
    switch self {
    case .programMissing(let name):
      "cannot start '\(name)': no such program on the child's PATH; is its package in the image?"
    case .failed(let operation, let code):
      "cannot \(operation): \(String(cString: strerror(code)))"
    }
  }
}

/// Runs a call again while a signal interrupts it.
func retrying<Result: SignedInteger>(_ call: () -> Result) -> Result {
  while true {
    let result = call()
    if result != -1 || errno != EINTR { return result }
  }
}
