internal import Terminal

/// Where a sign-in stands.
enum SessionState: String, Sendable, Hashable {
  /// The program is being started.
  case starting
  /// It runs, and has shown no address yet.
  case awaitingURL = "awaiting_url"
  /// The person is to sign in at the address.
  case pending
  /// A code was typed in; the program thinks about it.
  case submitting
  case ready, timeout, failed, cancelled

  var isFinal: Bool {
    switch self {
    case .starting, .awaitingURL, .pending, .submitting: false
    case .ready, .timeout, .failed, .cancelled: true
    }
  }
}

/// The rules of a sign-in: what has happened goes in, what is to be done comes out.
///
/// It has no clock and does nothing itself, so each rule can be tried by hand. Times count from the
/// session's start.
struct SessionMachine: Sendable {
  struct Failure: Sendable, Hashable {
    /// For programs: `cli_missing`, `cli_exited`, `no_credentials`, `too_much_output`, `internal`.
    var code: String
    /// For people, with what the program said last.
    var message: String
  }

  /// What the credential files look like at one moment.
  enum Credentials: Sendable, Hashable {
    case missing
    /// Valid JSON; the number stands for the content.
    case complete(Int)
  }

  enum Event: Sendable, Hashable {
    case started
    /// The program handed an address to the browser that we gave it.
    case captured(String)
    /// The screen came to rest.
    case shown(link: String?, asksForCode: Bool)
    case code(String)
    case looked(Credentials)
    /// What the status command found.
    case status(isSignedIn: Bool)
    case ended(Ending, lastWords: String)
    case failed(Failure)
    case cancelled
    case tick
  }

  enum Action: Sendable, Hashable {
    case openBrowser(String)
    case type(String)
    case checkStatus
    /// The session is over: kill the program and the browser.
    case stop
  }

  private(set) var state = SessionState.starting
  private(set) var url: String?
  private(set) var asksForCode = false
  private(set) var failure: Failure?
  /// Grows with every change that a client can see.
  private(set) var revision = 1

  let mode: Provider.Mode
  let hasStatus: Bool
  let timeout: Duration

  private var shownLink: (link: String, since: Duration)?
  private var credentials = Credentials.missing
  private var credentialsSince = Duration.zero
  private var statusAsked: Duration?
  private var ending: (how: Ending, words: String, at: Duration)?

  /// How long a credential file must stay as it is, to count as written completely.
  static let settleTime = Duration.milliseconds(300)
  /// How long a printed address waits for the program to hand a better one to the browser.
  static let captureTime = Duration.milliseconds(1500)
  /// How long credentials may come after the program's end.
  static let creditTime = Duration.seconds(3)

  init(mode: Provider.Mode, hasStatus: Bool, timeout: Duration) {
    self.mode = mode
    self.hasStatus = hasStatus
    self.timeout = timeout
  }

  /// Takes an event; once the session is over, nothing changes any more.
  mutating func handle(_ event: Event, at time: Duration) -> [Action] {
    guard !state.isFinal else { return [] }
    var actions: [Action] = []
    switch event {
    case .started: if state == .starting { enter(.awaitingURL) }
    case .captured(let link): if mode == .loopback { actions += offer(link) }
    case .shown(let link, let asks): actions += look(at: link, asksForCode: asks, time)
    case .code(let code): actions += submit(code)
    case .looked(let found):
      if found != credentials {
        credentials = found
        credentialsSince = time
        statusAsked = nil
      }
    case .status(let isSignedIn): if isSignedIn, isComplete { return finish(.ready) }
    case .ended(let how, let words): ending = (how, words, time)
    case .failed(let failure): return fail(failure)
    case .cancelled: return finish(.cancelled)
    case .tick: break
    }
    return actions + decide(time)
  }

  private var isComplete: Bool { credentials != .missing }

  private mutating func enter(_ new: SessionState) {
    state = new
    revision += 1
  }

  private mutating func finish(_ end: SessionState) -> [Action] {
    enter(end)
    asksForCode = false
    return [.stop]
  }

  private mutating func fail(_ reason: Failure) -> [Action] {
    failure = reason
    return finish(.failed)
  }

  private mutating func offer(_ link: String) -> [Action] {
    guard url != link else { return [] }
    url = link
    if state == .awaitingURL || state == .starting { enter(.pending) } else { revision += 1 }
    return [.openBrowser(link)]
  }

  private mutating func look(at link: String?, asksForCode asks: Bool, _ time: Duration) -> [Action]
  {
    if asks != asksForCode {
      asksForCode = asks
      revision += 1
      // It asks again: the code was no good, and the person may try another.
      if asks, state == .submitting { enter(.pending) }
    }
    guard let link else { return [] }
    if mode != .loopback { return offer(link) }
    if url == nil, shownLink?.link != link { shownLink = (link, time) }
    return []
  }

  private mutating func submit(_ code: String) -> [Action] {
    guard state == .pending || state == .submitting else { return [] }
    enter(.submitting)
    asksForCode = false
    return [.type(code + "\r")]
  }

  /// What time alone brings about.
  private mutating func decide(_ time: Duration) -> [Action] {
    if isComplete, time - credentialsSince >= Self.settleTime {
      if ending?.how.isSuccess == true || !hasStatus && ending == nil { return finish(.ready) }
      let isDue = statusAsked.map { time - $0 >= .seconds(2) } ?? true
      if hasStatus, isDue, ending == nil || ending.map({ time - $0.at < Self.creditTime }) == true {
        statusAsked = time
        return [.checkStatus]
      }
    }
    if let ending, !isComplete && !ending.how.isSuccess || time - ending.at >= Self.creditTime {
      if ending.how.isSuccess {
        return fail(
          Failure(code: "no_credentials", message: "the program ended without credentials"))
      }
      let words = ending.words.isEmpty ? "" : ": \(ending.words)"
      return fail(Failure(code: "cli_exited", message: "the program \(ending.how)\(words)"))
    }
    if time >= timeout { return finish(.timeout) }
    if url == nil, let shownLink, time - shownLink.since >= Self.captureTime {
      return offer(shownLink.link)
    }
    return []
  }
}
