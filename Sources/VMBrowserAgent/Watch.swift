internal import AgentHTTP
internal import Synchronization

/// Answers once something has become true of a session, or the time is up.
final class LongPoll: Sendable {
  private let signIn: SignIn
  private let exchange: Exchange
  private let isDue: @Sendable (SignIn) -> Bool
  private let listener = Mutex<(number: Int, isDone: Bool)>((0, false))

  init(_ signIn: SignIn, _ exchange: Exchange, until isDue: @escaping @Sendable (SignIn) -> Bool) {
    self.signIn = signIn
    self.exchange = exchange
    self.isDue = isDue
  }

  func start(_ limit: Duration) {
    let number = signIn.listen { self.look() }
    let isDone = listener.withLock { listener in
      listener.number = number
      return listener.isDone
    }
    if isDone { signIn.removeListener(number) }
    exchange.notify { if self.exchange.isClosed { self.finish(answering: false) } }
    exchange.after(limit) { self.finish(answering: true) }
    look()
  }

  private func look() {
    if isDue(signIn) { finish(answering: true) }
  }

  private func finish(answering: Bool) {
    let number: Int? = listener.withLock { listener in
      if listener.isDone { return nil }
      listener.isDone = true
      return listener.number
    }
    guard let number else { return }
    signIn.removeListener(number)
    if answering { exchange.respond(200, description(of: signIn)) }
  }
}

/// Streams a session's changes until it is over.
final class Watch: Sendable {
  private struct State {
    var listener = 0
    var shown = 0
    var isDone = false
  }

  private let signIn: SignIn
  private let stream: EventStream
  private let state = Mutex(State())

  private static let keepAliveEvery = Duration.seconds(15)

  init(_ signIn: SignIn, _ exchange: Exchange) {
    self.signIn = signIn
    stream = EventStream(to: exchange)
  }

  func start() {
    let number = signIn.listen { self.look() }
    state.withLock { $0.listener = number }
    stream.exchange.notify { if self.stream.exchange.isClosed { self.end() } }
    keepAlive()
    look()
  }

  private func look() {
    let isOver = signIn.isOver
    let isLast = state.withLock { state in
      let machine = signIn.facts.machine
      // The last event is sent when nothing of the session is left.
      guard !state.isDone, isOver || !machine.state.isFinal && machine.revision > state.shown else {
        return false
      }
      state.shown = machine.revision
      state.isDone = isOver
      if let facts = description(of: signIn).object { stream.send("session", facts) }
      return isOver
    }
    if isLast {
      end()
      stream.finish()
    }
  }

  private func keepAlive() {
    stream.exchange.after(Self.keepAliveEvery) {
      if self.state.withLock({ $0.isDone }) { return }
      self.stream.keepAlive()
      self.keepAlive()
    }
  }

  private func end() {
    let number = state.withLock { state in
      state.isDone = true
      return state.listener
    }
    signIn.removeListener(number)
  }
}
