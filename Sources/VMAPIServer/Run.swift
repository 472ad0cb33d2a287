internal import AgentHTTP
internal import Synchronization
internal import Terminal

/// One prompt on its way: waiting, then running in a thread of its own, streaming to its client.
final class Run: Sendable {
  /// How a run ended; also the label of the metric.
  enum End: String, Sendable, CaseIterable {
    case exited, timeout, cancelled
    case outputLimit = "output_limit"
    case failed
  }

  let id: String
  let provider: Provider
  private let prompt: String
  private let limit: Duration
  private let folder: String
  private let settings: Settings
  private let stream: EventStream
  private let waker: Waker
  private let isCancelled = Mutex(false)

  init(
    id: String, provider: Provider, prompt: String, limit: Duration, folder: String,
    settings: Settings, exchange: Exchange
  ) throws(TerminalFailure) {
    self.id = id
    self.provider = provider
    self.prompt = prompt
    self.limit = limit
    self.folder = folder
    self.settings = settings
    waker = try Waker()
    stream = EventStream(to: exchange)
  }

  /// Tells the client that it has to wait, and watches whether it does.
  func queue(position: Int) {
    stream.exchange.notify { [self] in
      if stream.exchange.isClosed { cancel() }
      waker.wake()
    }
    stream.send("queued", ["id": .string(id), "position": .integer(position)])
    keepAlive()
  }

  /// Ends the run as soon as it notices.
  func cancel() {
    isCancelled.withLock { $0 = true }
    waker.wake()
  }

  var wantsToEnd: Bool { isCancelled.withLock { $0 } || stream.exchange.isClosed }

  /// Ends a run that never started.
  func giveUp() { finish(.cancelled, nil, nil, started: nil) }

  /// Runs the program to its end; blocks.
  func run() -> End {
    let started = ContinuousClock.now
    guard !wantsToEnd else {
      finish(.cancelled, nil, nil, started: started)
      return .cancelled
    }
    let group = settings.controlGroup.flatMap { ControlGroup.make("run-\(id)", below: $0) }
    defer { group?.remove() }
    let child: Child
    do {
      child = try Child.start(command(group), waker: waker)
    } catch {
      finish(.failed, nil, nil, started: started, message: "\(error)")
      return .failed
    }
    stream.send("started", ["id": .string(id), "provider": .string(provider.name)])
    if provider.takesInput { child.send(prompt.utf8) }
    child.endInput()
    let (end, ending, usage) = follow(child, until: started + limit)
    finish(end, ending, usage, started: started)
    return end
  }

  private func command(_ group: ControlGroup?) -> Command {
    var variables = settings.environment
    variables["HOME"] = settings.home
    variables["USER"] = variables["USER"] ?? "agent"
    variables.merge(provider.environment) { $1 }
    let arguments = provider.arguments.map { $0.replacing("{prompt}", with: prompt) }
    return Command(
      provider.program, arguments, environment: variables, folder: folder, controlGroup: group)
  }

  /// Passes the program's output on, as fast as the client takes it.
  private func follow(
    _ child: Child, until deadline: ContinuousClock.Instant
  ) -> (End, Ending, JSON?) {
    var output = TextStream()
    var errors = TextStream()
    var usage = UsageReader(provider.usage)
    var count = 0
    while true {
      if wantsToEnd { return (.cancelled, child.stop(), usage.usage) }
      switch child.next(before: deadline, reading: stream.exchange.hasRoom) {
      case .output(let bytes):
        count += bytes.count
        usage.add(bytes)
        send("stdout", output.add(bytes))
      case .errors(let bytes):
        count += bytes.count
        send("stderr", errors.add(bytes))
      case .ended(let ending):
        usage.finish()
        send("stdout", output.finish())
        send("stderr", errors.finish())
        return (.exited, ending, usage.usage)
      case .deadline: return (.timeout, child.stop(), usage.usage)
      case .readable, .woken: break
      }
      if count > settings.mostOutput { return (.outputLimit, child.stop(), usage.usage) }
    }
  }

  private func send(_ name: String, _ text: String) {
    if !text.isEmpty { stream.send("output", ["stream": .string(name), "text": .string(text)]) }
  }

  private func finish(
    _ end: End, _ ending: Ending?, _ usage: JSON?, started: ContinuousClock.Instant?,
    message: String? = nil
  ) {
    var facts: [String: JSON] = [
      "id": .string(id), "status": .string(end.rawValue), "exitCode": .null, "signal": .null,
      "usage": usage ?? .null, "durationMs": .integer(started?.milliseconds ?? 0),
    ]
    switch ending {
    case .exited(let code): facts["exitCode"] = .integer(Int(code))
    case .signalled(let number): facts["signal"] = .integer(Int(number))
    case nil: break
    }
    if let message { facts["message"] = .string(message) }
    isOver.withLock { $0 = true }
    stream.send("end", facts)
    stream.finish()
  }

  private let isOver = Mutex(false)

  /// A silent client that is gone is noticed by writing to it.
  private func keepAlive() {
    stream.exchange.after(.seconds(15)) { [self] in
      if isOver.withLock({ $0 }) || stream.exchange.isClosed { return }
      stream.keepAlive()
      keepAlive()
    }
  }
}

extension ContinuousClock.Instant {
  /// Whole milliseconds since then.
  fileprivate var milliseconds: Int {
    let time = duration(to: .now).components
    return Int(time.seconds) * 1000 + Int(time.attoseconds / 1_000_000_000_000_000)
  }
}
