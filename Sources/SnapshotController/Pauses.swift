internal import Synchronization

/// Keeps a host that cannot start machines from trying every second: after each failure in a row a role
/// waits twice as long, up to a minute.
final class Pauses: Sendable {
  private struct Pause {
    var length: Duration
    var end: ContinuousClock.Instant
  }
  private let roles = Mutex<[String: Pause]>([:])

  func isPaused(_ role: String) -> Bool {
    roles.withLock { $0[role].map { .now < $0.end } ?? false }
  }

  func failed(_ role: String) {
    roles.withLock { roles in
      let length = roles[role].map { min($0.length * 2, .seconds(60)) } ?? .seconds(1)
      roles[role] = Pause(length: length, end: .now + length)
    }
  }

  func worked(_ role: String) { roles.withLock { _ = $0.removeValue(forKey: role) } }
}
