internal import CTerminal
internal import Glibc

/// Interrupts a `Child.next` that waits in another thread; waking before it waits counts too.
public final class Waker: Sendable {
  let descriptor: Int32

  public init() throws(TerminalFailure) {
    descriptor = cterminal_event_counter()
    guard descriptor >= 0 else { throw .failed(operation: "make an event counter", code: errno) }
  }

  deinit { close(descriptor) }

  public func wake() {
    var one: UInt64 = 1
    // It can only fail when the counter is full, and then the waiter wakes anyhow.
    _ = retrying { write(descriptor, &one, 8) }
  }

  /// Takes the wake-ups so far; true if there were any.
  func takeWakes() -> Bool {
    var count: UInt64 = 0
    return retrying { read(descriptor, &count, 8) } == 8
  }
}
