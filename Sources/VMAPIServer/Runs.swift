internal import AgentHTTP
internal import Synchronization
internal import Terminal

/// All prompts: a few run at once, some wait for their turn, more are refused.
final class Runs: Sendable {
  private struct State {
    var running: [String: Run] = [:]
    var waiting: [Run] = []
    var counts: [Run.End: Int] = [:]
    var refused = 0
    var isStopping = false
  }

  private let settings: Settings
  private let log: AgentLog
  private let state = Mutex(State())

  init(_ settings: Settings, log: AgentLog) {
    self.settings = settings
    self.log = log
  }

  /// Takes a prompt, or refuses it.
  func add(_ make: () throws(Refusal) -> Run) throws(Refusal) {
    dropTheGone()
    // Whether there is room is decided before the stream begins: a refusal is a status, not an event.
    let hasRoom = state.withLock { state in
      let count = state.running.count + state.waiting.count
      let hasRoom = !state.isStopping && count < settings.mostRunning + settings.mostWaiting
      if !hasRoom { state.refused += 1 }
      return hasRoom
    }
    guard hasRoom else { throw Refusal(429, "busy", "too many prompts wait already") }
    let run = try make()
    let isFirst = state.withLock { state in
      let isFirst = state.running.count < settings.mostRunning
      if isFirst { state.running[run.id] = run } else { state.waiting.append(run) }
      // Under the lock, so that its turn cannot come before it was told to wait.
      run.queue(position: isFirst ? 0 : state.waiting.count)
      return isFirst
    }
    if isFirst { start(run) }
  }

  /// Gives up what waits for clients that are gone.
  private func dropTheGone() {
    let gone = state.withLock { state in
      let gone = state.waiting.filter(\.wantsToEnd)
      state.waiting.removeAll(where: \.wantsToEnd)
      state.counts[.cancelled, default: 0] += gone.count
      return gone
    }
    for run in gone { run.giveUp() }
  }

  private func start(_ run: Run) {
    startThread { [self] in
      log.write("started", ["id": .string(run.id), "provider": .string(run.provider.name)])
      let end = run.run()
      log.write("ended", ["id": .string(run.id), "status": .string(end.rawValue)])
      finished(run, end)
    }
  }

  private func finished(_ run: Run, _ end: Run.End) {
    dropTheGone()
    let next: Run? = state.withLock { state in
      state.running[run.id] = nil
      state.counts[end, default: 0] += 1
      guard !state.isStopping, !state.waiting.isEmpty else { return nil }
      let next = state.waiting.removeFirst()
      state.running[next.id] = next
      return next
    }
    if let next { start(next) }
  }

  /// Cancels a prompt.
  func cancel(_ id: String) throws(Refusal) {
    let (running, waiting) = state.withLock { state in
      let waiting = state.waiting.first { $0.id == id }
      state.waiting.removeAll { $0.id == id }
      if waiting != nil { state.counts[.cancelled, default: 0] += 1 }
      return (state.running[id], waiting)
    }
    running?.cancel()
    waiting?.giveUp()
    if running == nil, waiting == nil {
      throw Refusal(404, "unknown_prompt", "there is no prompt of that id")
    }
  }

  /// Cancels all and waits until nothing runs any more, at most `limit`.
  func stop(within limit: Duration) {
    let (running, waiting) = state.withLock { state in
      state.isStopping = true
      defer { state.waiting = [] }
      return (Array(state.running.values), state.waiting)
    }
    for run in waiting { run.giveUp() }
    for run in running { run.cancel() }
    let deadline = ContinuousClock.now + limit
    while !state.withLock({ $0.running.isEmpty }), .now < deadline { nap() }
  }

  /// The numbers in Prometheus' text format.
  var metrics: String {
    let (running, waiting, counts, refused) = state.withLock { state in
      (state.running.count, state.waiting.count, state.counts, state.refused)
    }
    var text = """
      # HELP vm_api_prompts_running Prompts that run now.
      # TYPE vm_api_prompts_running gauge
      vm_api_prompts_running \(running)
      # HELP vm_api_prompts_waiting Prompts that wait for their turn.
      # TYPE vm_api_prompts_waiting gauge
      vm_api_prompts_waiting \(waiting)
      # HELP vm_api_prompts_refused_total Prompts refused because too many waited.
      # TYPE vm_api_prompts_refused_total counter
      vm_api_prompts_refused_total \(refused)
      # HELP vm_api_prompts_ended_total Prompts that ended, by how.
      # TYPE vm_api_prompts_ended_total counter

      """
    for end in Run.End.allCases {
      text += "vm_api_prompts_ended_total{status=\"\(end.rawValue)\"} \(counts[end] ?? 0)\n"
    }
    return text
  }
}
