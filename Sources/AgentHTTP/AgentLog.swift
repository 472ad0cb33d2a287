internal import Glibc
internal import Synchronization

/// A log of JSON lines that starts a new file when the old one is full.
///
/// Nothing secret goes in: callers log ids, states and counts, never addresses, codes or tokens.
public final class AgentLog: Sendable {
  private struct File {
    var descriptor: Int32
    var size: Int
  }

  private let path: String?
  private let limit: Int
  private let kept: Int
  private let file: Mutex<File>

  /// - Parameters:
  ///   - path: the file; nil writes to standard error, as does a file that cannot be opened.
  ///   - limit: bytes after which the file becomes `<path>.1`, that one `<path>.2`, and so on.
  ///   - kept: how many old files stay.
  public init(path: String?, limit: Int = 4 << 20, kept: Int = 3) {
    self.path = path
    self.limit = limit
    self.kept = kept
    file = Mutex(Self.opened(path))
  }

  deinit {
    file.withLock { if $0.descriptor > 2 { close($0.descriptor) } }
  }

  /// Writes one line: the time, the event and what belongs to it.
  public func write(_ event: String, _ facts: [String: JSON] = [:]) {
    var members = facts
    members["time"] = .string(wallTime())
    members["event"] = .string(event)
    let line = JSON.object(members).bytes + [10]
    file.withLock { file in
      if file.descriptor > 2, file.size + line.count > limit, file.size > 0 { rotate(&file) }
      // A full disk must not stop the agent; the line is lost.
      let written = Glibc.write(file.descriptor, line, line.count)
      file.size += max(written, 0)
    }
  }

  private func rotate(_ file: inout File) {
    guard let path else { return }
    close(file.descriptor)
    for number in stride(from: kept, through: 1, by: -1) {
      rename(number == 1 ? path : "\(path).\(number - 1)", "\(path).\(number)")
    }
    file = Self.opened(path)
  }

  private static func opened(_ path: String?) -> File {
    guard let path else { return File(descriptor: 2, size: 0) }
    let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW
    let descriptor = open(path, flags, 0o640)
    guard descriptor >= 0 else { return File(descriptor: 2, size: 0) }
    return File(descriptor: descriptor, size: Int(lseek(descriptor, 0, SEEK_END)))
  }
}

/// The time of day in UTC, now or some seconds ago, as `2026-01-31T23:59:59.123Z`: later times are greater texts.
public func wallTime(secondsAgo: Int = 0) -> String {
  var now = timespec()
  clock_gettime(CLOCK_REALTIME, &now)
  now.tv_sec -= secondsAgo
  var parts = tm()
  gmtime_r(&now.tv_sec, &parts)
  func digits(_ number: Int, _ count: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
  }
  let day =
    "\(digits(Int(parts.tm_year) + 1900, 4))-\(digits(Int(parts.tm_mon) + 1, 2))-"
    + digits(Int(parts.tm_mday), 2)
  let time =
    "\(digits(Int(parts.tm_hour), 2)):\(digits(Int(parts.tm_min), 2)):"
    + "\(digits(Int(parts.tm_sec), 2)).\(digits(now.tv_nsec / 1_000_000, 3))"
  return "\(day)T\(time)Z"
}
