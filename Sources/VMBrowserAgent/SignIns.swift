internal import AgentHTTP
internal import Synchronization
internal import Terminal

/// All sign-ins of this agent, by their ids.
final class SignIns: Sendable {
  private let settings: Settings
  private let log: AgentLog
  private let all = Mutex<[String: SignIn]>([:])
  private let versions = Mutex<[String: String]>([:])

  static let mostKept = 64

  init(_ settings: Settings, log: AgentLog) {
    self.settings = settings
    self.log = log
  }

  /// What a client may wish for.
  struct Wish {
    var provider: String
    var id: String?
    var mode: String?
    var timeoutSeconds: Int?
    var opensBrowser = true
  }

  /// Starts a sign-in.
  func start(_ wish: Wish) throws(Refusal) -> SignIn {
    let provider = try provider(wish.provider)
    let id = try wish.id.map { id throws(Refusal) in try Self.checked(id) } ?? Self.newID()
    let mode: Provider.Mode
    if let word = wish.mode {
      guard let known = Provider.Mode(rawValue: word), provider.modes[known] != nil else {
        let modes = Provider.Mode.allCases.filter { provider.modes[$0] != nil }.map(\.rawValue)
        let list = modes.joined(separator: ", ")
        throw Refusal(400, "unknown_mode", "\(provider.name) has the modes \(list), not '\(word)'")
      }
      mode = known
    } else {
      mode = provider.defaultMode
    }
    guard (1...3600).contains(wish.timeoutSeconds ?? 300) else {
      throw Refusal(400, "bad_timeout", "timeoutSec must be from 1 to 3600")
    }
    let signIn: SignIn
    do {
      signIn = try SignIn(
        id: id, provider: provider, mode: mode, timeout: .seconds(wish.timeoutSeconds ?? 300),
        opensBrowser: wish.opensBrowser, settings: settings, log: log)
    } catch { throw Refusal(503, "no_resources", "\(error)") }
    try admit(signIn)
    signIn.start()
    return signIn
  }

  private func admit(_ signIn: SignIn) throws(Refusal) {
    let refusal: Refusal? = all.withLock { all in
      sweep(&all)
      let running = all.values.filter { !$0.isOver }
      if all[signIn.id] != nil {
        return Refusal(409, "exists", "there is a session '\(signIn.id)' already")
      }
      if signIn.provider.isExclusive,
        let other = running.first(where: { $0.provider.name == signIn.provider.name })
      {
        return Refusal(
          409, "busy", "session '\(other.id)' signs in to \(other.provider.name) already")
      }
      if running.count >= settings.mostRunning || all.count >= Self.mostKept {
        return Refusal(429, "busy", "\(running.count) sessions run already")
      }
      all[signIn.id] = signIn
      return nil
    }
    if let refusal { throw refusal }
  }

  /// Forgets sessions that have been over for long.
  private func sweep(_ all: inout [String: SignIn]) {
    for (id, signIn) in all {
      if signIn.isOver, let since = signIn.facts.overSince, .now - since >= settings.keepTime {
        signIn.wipe()
        all[id] = nil
      }
    }
    if all.count >= Self.mostKept {
      let oldest = all.values.filter(\.isOver).min { $0.started < $1.started }
      oldest?.wipe()
      if let oldest { all[oldest.id] = nil }
    }
  }

  func find(_ id: String) throws(Refusal) -> SignIn {
    let id = try Self.checked(id)
    guard let found = all.withLock({ $0[id] }) else {
      throw Refusal(404, "unknown_session", "there is no session '\(id)'")
    }
    return found
  }

  /// All sessions, oldest first.
  var list: [SignIn] {
    all.withLock { all in
      sweep(&all)
      return all.values.sorted { ($0.started, $0.id) < ($1.started, $1.id) }
    }
  }

  /// Cancels what runs and waits until nothing of it is left, at most `limit`.
  func stop(within limit: Duration) {
    for signIn in list { signIn.post(.cancelled) }
    let deadline = ContinuousClock.now + limit
    while list.contains(where: { !$0.isOver }), .now < deadline { nap() }
    for signIn in list { signIn.wipe() }
  }

  /// A name that is safe in a path: letters, digits, dashes and underscores, at most 64.
  static func checked(_ id: String) throws(Refusal) -> String {
    let isFit = id.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
        true
      default: false
      }
    }
    guard isFit, (1...64).contains(id.utf8.count) else {
      let rule = "a sessionId has 1 to 64 letters, digits, '-' and '_'"
      throw Refusal(400, "bad_session_id", rule)
    }
    return id
  }

  private static func newID() -> String {
    let number = UInt64.random(in: .min ... .max)
    let text = String(number, radix: 36)
    return String(repeating: "0", count: 13 - text.count) + text
  }

  /// The entry for a provider that fits the version of the program that is there.
  private func provider(_ name: String) throws(Refusal) -> Provider {
    let entries = settings.providers.filter { $0.answers(to: name) }
    guard let first = entries.first else {
      let names = Set(settings.providers.map(\.name)).sorted().joined(separator: ", ")
      throw Refusal(404, "unknown_provider", "there is no provider of that name; known: \(names)")
    }
    guard entries.contains(where: { $0.fromVersion != nil || $0.beforeVersion != nil }) else {
      return first
    }
    let version = version(of: first.program)
    return entries.first { $0.isFor(version: version) } ?? first
  }

  private func version(of program: String) -> String {
    if let known = versions.withLock({ $0[program] }) { return known }
    var environment = settings.environment
    environment["HOME"] = "/nonexistent"
    let said = run(Command(program, ["--version"], environment: environment), limit: .seconds(5))
    let version = VersionNumber.first(in: said?.output ?? "") ?? "0"
    versions.withLock { $0[program] = version }
    return version
  }
}
