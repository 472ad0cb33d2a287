internal import CTerminal
internal import Glibc

/// Our ends of a child's streams.
struct ChildStreams {
  /// The terminal's master side, or the pipe to standard input.
  private var input: Descriptor?
  private var output: Descriptor?
  private var errors: Descriptor?
  private let isTerminal: Bool
  private var terminalEnded = false
  var unsent: [UInt8] = []
  /// Whether the pipe to standard input closes once nothing is left to send.
  var endsInput = false

  private static let chunk = 65536

  init(
    input: Descriptor?, output: Descriptor?, errors: Descriptor?
  ) {
    isTerminal = output == nil
    self.input = input
    self.output = output
    self.errors = errors
  }

  /// Whether everything that the child can print has been read.
  var hasEnded: Bool { isTerminal ? terminalEnded : output == nil && errors == nil }

  /// What to wait for: readable output, and room for what is unsent.
  func interests(reading: Bool) -> [pollfd] {
    var entries: [pollfd] = []
    var events: Int32 = 0
    if reading, isTerminal, !terminalEnded { events |= POLLIN }
    if !unsent.isEmpty, !terminalEnded { events |= Int32(POLLOUT) }
    if let number = input?.number, events != 0 {
      entries.append(pollfd(fd: number, events: Int16(events), revents: 0))
    }
    guard reading else { return entries }
    if let number = output?.number {
      entries.append(pollfd(fd: number, events: Int16(POLLIN), revents: 0))
    }
    if let number = errors?.number {
      entries.append(pollfd(fd: number, events: Int16(POLLIN), revents: 0))
    }
    return entries
  }

  /// Reads one chunk from the first stream that has one, and notes the ends of streams.
  mutating func read(_ ready: Set<Int32>) -> Child.Event? {
    if isTerminal, let number = input?.number, ready.contains(number), !terminalEnded {
      switch input?.readAvailable(limit: Self.chunk) {
      case .bytes(let bytes): return .output(bytes)
      case .end: terminalEnded = true
      case .nothingYet, nil: break
      }
    }
    if let number = output?.number, ready.contains(number) {
      switch output?.readAvailable(limit: Self.chunk) {
      case .bytes(let bytes): return .output(bytes)
      case .end: output = nil
      case .nothingYet, nil: break
      }
    }
    if let number = errors?.number, ready.contains(number) {
      switch errors?.readAvailable(limit: Self.chunk) {
      case .bytes(let bytes): return .errors(bytes)
      case .end: errors = nil
      case .nothingYet, nil: break
      }
    }
    return nil
  }

  /// Sends what fits now; what a child no longer wants is dropped.
  mutating func flush() {
    while !unsent.isEmpty, let number = input?.number {
      let sent = unsent.withUnsafeBytes { bytes in
        retrying { write(number, bytes.baseAddress, min(bytes.count, Self.chunk)) }
      }
      if sent > 0 {
        unsent.removeFirst(sent)
      } else if sent < 0, errno == EAGAIN {
        return
      } else {
        unsent = []
      }
    }
    if endsInput, unsent.isEmpty { input = nil }
  }

  func resize(to size: WindowSize) {
    // A terminal that is gone has no size; nothing is lost.
    if let number = input?.number { _ = cterminal_resize(number, size.rows, size.columns) }
  }

  mutating func close() {
    input = nil
    output = nil
    errors = nil
    unsent = []
  }
}
