internal import CTerminal
internal import Glibc

/// A file descriptor that is closed once, when its last owner goes.
final class Descriptor: Sendable {
  let number: Int32

  init(adopting number: Int32) { self.number = number }

  deinit { close(number) }

  /// Makes reads and writes return at once, with EAGAIN when they would have to wait.
  func stopBlocking() {
    let flags = fcntl(number, F_GETFL)
    _ = fcntl(number, F_SETFL, flags | O_NONBLOCK)
  }

  /// What a read found.
  enum Found {
    case bytes([UInt8])
    case nothingYet
    case end
  }

  /// Reads what is there, at most `limit` bytes.
  ///
  /// A terminal's master side fails with EIO once no process holds the other side: that is its end.
  func readAvailable(limit: Int) -> Found {
    var count = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, used in
      count = retrying { read(number, buffer.baseAddress, limit) }
      used = max(count, 0)
    }
    if count > 0 { return .bytes(bytes) }
    if count < 0, errno == EAGAIN { return .nothingYet }
    return .end
  }
}

/// Both ends of a new pipe, close-on-exec.
struct Pipe {
  let reading: Descriptor
  let writing: Descriptor

  static func open() throws(TerminalFailure) -> Pipe {
    var ends: [Int32] = [-1, -1]
    guard cterminal_pipe(&ends) == 0 else { throw .failed(operation: "open a pipe", code: errno) }
    return Pipe(reading: Descriptor(adopting: ends[0]), writing: Descriptor(adopting: ends[1]))
  }
}
