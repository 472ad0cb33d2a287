internal import AgentHTTP
internal import Glibc
internal import Synchronization
internal import Terminal

/// A running sign-in: a thread that owns the program and its terminal, and what others may see of it.
final class SignIn: Sendable {
  /// What clients see.
  struct Facts: Sendable {
    var machine: SessionMachine
    var hasCredentials = false
    var wereTaken = false
    /// When it ended, by the clock of timers.
    var overSince: ContinuousClock.Instant?
  }

  private struct Shared {
    var facts: Facts
    var letters: [SessionMachine.Event] = []
    var listeners: [Int: @Sendable () -> Void] = [:]
    var nextListener = 0
    var credentials: [JSON]?
    var thread = ThreadState.notStarted
  }

  private enum ThreadState { case notStarted, running, done }

  let id: String
  let provider: Provider
  let mode: Provider.Mode
  let timeout: Duration
  let started = ContinuousClock.now
  let logPath: String
  private let settings: Settings
  private let log: AgentLog
  private let waker: Waker
  private let shared: Mutex<Shared>

  init(
    id: String, provider: Provider, mode: Provider.Mode, timeout: Duration, opensBrowser: Bool,
    settings: Settings, log: AgentLog
  ) throws {
    self.id = id
    self.provider = provider
    self.mode = mode
    self.timeout = timeout
    var settings = settings
    if !opensBrowser { settings.browser = [] }
    self.settings = settings
    self.log = log
    logPath = "\(settings.logs)/\(provider.name)-login-\(id).log"
    waker = try Waker()
    let machine = SessionMachine(
      mode: mode, hasStatus: provider.status != nil, timeout: timeout)
    shared = Mutex(Shared(facts: Facts(machine: machine)))
  }

  var facts: Facts { shared.withLock { $0.facts } }

  /// Starts the program.
  func start() {
    shared.withLock { $0.thread = .running }
    startThread { [self] in
      run()
      shared.withLock { $0.thread = .done }
      changed()
    }
  }

  /// Whether nothing of it runs any more.
  var isOver: Bool { shared.withLock { $0.thread == .done } }

  /// Tells the session something, from any thread.
  func post(_ event: SessionMachine.Event) {
    shared.withLock { $0.letters.append(event) }
    waker.wake()
  }

  /// Calls `listener` after every change, from any thread, until it is removed.
  func listen(_ listener: @escaping @Sendable () -> Void) -> Int {
    shared.withLock { shared in
      shared.nextListener += 1
      shared.listeners[shared.nextListener] = listener
      return shared.nextListener
    }
  }

  func removeListener(_ number: Int) { shared.withLock { $0.listeners[number] = nil } }

  /// Hands the credentials out, once.
  func takeCredentials() throws(Refusal) -> [JSON] {
    let (taken, state, files) = shared.withLock { shared in
      defer {
        if shared.credentials != nil { shared.facts.wereTaken = true }
        shared.credentials = nil
        shared.facts.hasCredentials = false
      }
      return (shared.facts.wereTaken, shared.facts.machine.state, shared.credentials)
    }
    if let files { return files }
    if taken { throw Refusal(410, "gone", "the credentials were handed out, or wiped") }
    throw Refusal(409, "not_ready", "there are no credentials: the session is '\(state.rawValue)'")
  }

  /// Forgets the credentials, as when the session is removed.
  func wipe() {
    shared.withLock { shared in
      if shared.credentials != nil { shared.facts.wereTaken = true }
      shared.credentials = nil
      shared.facts.hasCredentials = false
    }
  }

  private func changed() {
    for listener in shared.withLock({ $0.listeners.sorted { $0.key < $1.key }.map(\.value) }) {
      listener()
    }
  }

  // The thread.

  private func run() {
    do {
      let group = settings.controlGroup.flatMap { parent in
        ControlGroup.make("session-\(id)", below: parent)
      }
      defer { group?.remove() }
      let folder = try SessionFolder.make("\(settings.sessions)/\(id)", agent: settings.agent)
      defer { folder.remove() }
      var sessionLog = try SessionLog.make(logPath)
      defer { sessionLog.close() }
      let command = Command(
        provider.program, provider.modes[mode]?.arguments ?? [], environment: environment(folder),
        folder: folder.home, streams: .terminal(.wide), controlGroup: group)
      sessionLog.note("\(provider.program) \(command.arguments.joined(separator: " "))")
      let runner = try SignInRunner(
        command, folder: folder, waker: waker, signIn: self, log: sessionLog)
      runner.run()
    } catch {
      let code =
        if case TerminalFailure.programMissing = error { "cli_missing" } else { "internal" }
      _ = handle(.failed(SessionMachine.Failure(code: code, message: "\(error)")))
    }
  }

  func environment(_ folder: SessionFolder) -> [String: String] {
    var variables = settings.environment
    variables["PATH"] = "\(folder.programs):\(variables["PATH"] ?? "/usr/bin:/bin")"
    variables["HOME"] = folder.home
    variables["USER"] = variables["USER"] ?? "agent"
    variables["BROWSER"] = "\(folder.programs)/open-url"
    variables[LinkPipe.variable] = folder.pipe
    variables.merge(provider.modes[mode]?.environment ?? [:]) { $1 }
    return variables
  }

  /// The browser's command for an address; nil when none is to be opened.
  func browserCommand(for url: String, _ folder: SessionFolder) -> Command? {
    guard let program = settings.browser.first else { return nil }
    let arguments = settings.browser.dropFirst().map {
      $0.replacing("{profile}", with: folder.profile).replacing("{url}", with: url)
    }
    var variables = settings.environment
    variables["HOME"] = folder.profile
    return Command(program, Array(arguments), environment: variables, folder: folder.profile)
  }

  func takeLetters() -> [SessionMachine.Event] {
    shared.withLock { shared in
      defer { shared.letters = [] }
      return shared.letters
    }
  }

  /// Applies an event and tells the listeners when something changed.
  ///
  /// - Parameter collect: gives the credential files, should the event make the session ready.
  func handle(
    _ event: SessionMachine.Event, collect: () -> [JSON] = { [] }
  ) -> [SessionMachine.Action] {
    let time = started.duration(to: .now)
    let (actions, before, after, failure) = shared.withLock { shared in
      let before = shared.facts.machine
      let actions = shared.facts.machine.handle(event, at: time)
      let after = shared.facts.machine
      if after.state.isFinal, !before.state.isFinal {
        shared.facts.overSince = .now
        if after.state == .ready {
          shared.credentials = collect()
          shared.facts.hasCredentials = true
        }
      }
      return (actions, before, after, after.failure)
    }
    if before.state != after.state {
      log.write(
        "session",
        [
          "id": .string(id), "provider": .string(provider.name),
          "state": .string(after.state.rawValue), "code": .text(failure?.code),
        ])
    }
    if before.revision != after.revision { changed() }
    return actions
  }
}
