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
      let ready = poll(&wanted, nfds_t(wanted.count), wait(until: deadline))
      guard ready > 0 else {
        if ready == 0 || errno == EINTR { continue }
        throw IsolationFailure.refused(operation: "wait for output", code: errno)
      }
      for index in open.indices where wanted[index].revents != 0 {
        let count = read(open[index], &buffer, buffer.count)
        if count < 0, errno == EINTR || errno == EAGAIN { continue }
        guard count >= 0 else {
          throw IsolationFailure.refused(operation: "read output", code: errno)
        }
        if count == 0 { open[index] = -1 } else { take(buffer[..<count], index) }
      }
    }
    for index in splitters.indices { splitters[index].end { onLine?($0) } }
    return false
  }

  private mutating func take(_ bytes: ArraySlice<UInt8>, _ index: Int) {
    captured[index].add(bytes)
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
