internal import AgentHTTP
internal import Synchronization
internal import Terminal

/// A program that runs beside a session, such as the browser; what it prints is thrown away.
final class Attendant: Sendable {
  private let waker: Waker
  private let isStopping = Mutex(false)

  /// Starts the program in a thread of its own.
  ///
  /// - Parameter ended: called once the program is gone, with how it ended.
  init(_ command: Command, ended: @escaping @Sendable (Ending) -> Void) throws(TerminalFailure) {
    waker = try Waker()
    let waker = waker
    guard command.canStart else { throw .programMissing(command.program) }
    startThread { [self] in
      // It was startable a moment ago; if it no longer is, that counts as a bad end.
      guard let child = try? Child.start(command, waker: waker) else { return ended(.exited(127)) }
      child.endInput()
      while true {
        let event = child.next()
        if case .ended(let ending) = event { return ended(ending) }
        if isStopping.withLock({ $0 }) { return ended(child.stop()) }
      }
    }
  }

  /// Ends the program, and does not wait for it.
  func stop() {
    isStopping.withLock { $0 = true }
    waker.wake()
  }
}

/// Runs a command to its end, at most for `limit`, and gives how it ended and the start of its output.
func run(_ command: Command, limit: Duration) -> (ending: Ending, output: String)? {
  // A program that is not there has nothing to say.
  guard let child = try? Child.start(command) else { return nil }
  child.endInput()
  var output: [UInt8] = []
  let deadline = ContinuousClock.now + limit
  while true {
    switch child.next(before: deadline) {
    case .output(let bytes): if output.count < 65536 { output += bytes }
    case .ended(let ending): return (ending, String(decoding: output, as: UTF8.self))
    case .deadline: return (child.stop(), String(decoding: output, as: UTF8.self))
    case .errors, .readable, .woken: break
    }
  }
}
