internal import Model
internal import Synchronization

/// Counts packages as dpkg says that it sets them up.
final class ConfigureProgress: Sendable {
  private let done = Mutex(0)
  private let total: Int
  private let events: EventSink

  init(total: Int, events: @escaping EventSink) {
    self.total = total
    self.events = events
  }

  /// Reads a line such as `Setting up libc6:amd64 (2.36-9) ...`.
  func read(_ line: String) {
    guard line.hasPrefix("Setting up ") else { return }
    let count = done.withLock { done in
      done = min(done + 1, total)
      return done
    }
    let name = line.dropFirst("Setting up ".count).prefix { $0 != " " && $0 != ":" }
    events(.advanced(.configure, done: count, subject: String(name)))
  }
}
