internal import Glibc

/// The last bytes of a stream.
struct Tail {
  let limit: Int
  private var kept: [UInt8] = []
  private(set) var isTruncated = false

  init(limit: Int) { self.limit = limit }

  var bytes: [UInt8] { kept.count > limit ? Array(kept.suffix(limit)) : kept }

  mutating func add(_ bytes: some Collection<UInt8>) {
    kept += bytes
    if kept.count > limit { isTruncated = true }
    // Twice the limit, so that each byte is moved once at most.
    if kept.count > 2 * limit { kept.removeFirst(kept.count - limit) }
  }
}

/// Reads the two streams of a command until both end.
struct Collector {
  private(set) var captured: [Tail]
  private let onLine: (@Sendable (String) -> Void)?
  private var splitters = [LineSplitter(), LineSplitter()]
  /// Where the first stream is a terminal: what is typed in answer to what it shows.
  var answer: (@Sendable ([UInt8]) -> [UInt8])?
  /// What is still to be typed.
  var typed: [UInt8] = []

  init(limit: Int, onLine: (@Sendable (String) -> Void)?) {
    captured = [Tail(limit: limit), Tail(limit: limit)]
    self.onLine = onLine
  }

  /// Reads `streams` (-1 for none) to their ends.
  ///
  /// - Parameter stop: called once at the deadline or when the task is cancelled; the streams then end.
  /// - Returns: whether the deadline came first.
  /// - Throws: `CancellationError`, after `stop`.
  mutating func collect(
    streams: [Int32], until deadline: ContinuousClock.Instant?, stop: () -> Void
  ) throws -> Bool {
    var open = streams
    var buffer = [UInt8](repeating: 0, count: 65536)
    while open.contains(where: { $0 >= 0 }) {
      if Task.isCancelled {
        stop()
        throw CancellationError()
      }
      if let deadline, .now >= deadline {
        stop()
        return true
      }
      // Wakes up for a cancelled task, too.
      var wanted = open.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      if !typed.isEmpty { wanted[0].events |= Int16(POLLOUT) }
      let ready = poll(&wanted, nfds_t(wanted.count), wait(until: deadline))
      guard ready > 0 else {
        if ready == 0 || errno == EINTR { continue }
        throw IsolationFailure.refused(operation: "wait for output", code: errno)
      }
      if !typed.isEmpty, wanted[0].revents & Int16(POLLOUT) != 0 { type(on: open[0]) }
      for index in open.indices where wanted[index].revents & ~Int16(POLLOUT) != 0 {
        let count = read(open[index], &buffer, buffer.count)
        if count < 0, errno == EINTR || errno == EAGAIN { continue }
        // A terminal ends with this error when nobody has it open any more.
        if count < 0, errno == EIO, answer != nil {
          open[index] = -1
          typed = []
          continue
        }
        guard count >= 0 else {
          throw IsolationFailure.refused(operation: "read output", code: errno)
        }
        if count == 0 { open[index] = -1 } else { take(buffer[..<count], index) }
      }
    }
    for index in splitters.indices { splitters[index].end { onLine?($0) } }
    return false
  }

  private mutating func type(on terminal: Int32) {
    let count = typed.withUnsafeBytes { write(terminal, $0.baseAddress, $0.count) }
    if count > 0 { typed.removeFirst(count) }
    if count < 0, errno != EINTR, errno != EAGAIN { typed = [] }
  }

  private mutating func take(_ bytes: ArraySlice<UInt8>, _ index: Int) {
    captured[index].add(bytes)
    if let answer { typed += answer(Array(bytes)) }
    guard let onLine else { return }
    splitters[index].add(bytes) { onLine($0) }
  }

  /// Milliseconds to wait at most.
  private func wait(until deadline: ContinuousClock.Instant?) -> Int32 {
    guard let deadline else { return 200 }
    let left = (deadline - .now) / .milliseconds(1)
    return Int32(max(1, min(200, left.rounded(.up))))
  }
}
