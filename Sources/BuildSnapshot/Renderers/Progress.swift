internal import Model
internal import Synchronization

/// How progress is shown on standard error.
enum ProgressStyle: String, CaseIterable, Sendable {
  case auto, live, plain, json
}

/// Turns build events into text; each style is one of these.
protocol Renderer {
  /// What to write for an event that came `at` this time since the start; empty for nothing.
  mutating func text(for event: BuildEvent, at time: Duration) -> String
  /// What to write once, after the last event.
  mutating func closing(at time: Duration) -> String
}

/// Receives events from any thread and writes what a renderer makes of them to standard error.
final class Progress: Sendable {
  private struct State: Sendable {
    var renderer: any Renderer & Sendable
    var table = PhaseTable()
  }

  private let start = ContinuousClock.now
  private let state: Mutex<State>

  init(style: ProgressStyle, isQuiet: Bool) {
    let isTerminal = StandardError.isTerminal
    let renderer: any Renderer & Sendable =
      switch style {
      case _ where isQuiet: SilentRenderer()
      case .json: JSONRenderer()
      case .live: LiveRenderer()
      case .auto where isTerminal: LiveRenderer()
      case .plain, .auto: PlainRenderer()
      }
    state = Mutex(State(renderer: renderer))
  }

  /// Where stages send their events.
  var sink: EventSink {
    { event in
      let time = self.start.duration(to: .now)
      self.state.withLock { state in
        state.table.record(event, at: time)
        StandardError.write(state.renderer.text(for: event, at: time))
      }
    }
  }

  /// Takes the live line away, so that other text can be written.
  func close() {
    let time = start.duration(to: .now)
    state.withLock { StandardError.write($0.renderer.closing(at: time)) }
  }

  /// The phases with the times that they took, as lines to show.
  var table: String { state.withLock { $0.table.description } }

  /// The same for programs, by phase.
  var milliseconds: [String: Int] { state.withLock { $0.table.milliseconds } }

  var elapsed: Duration { start.duration(to: .now) }
}

/// Shows nothing.
struct SilentRenderer: Renderer, Sendable {
  mutating func text(for event: BuildEvent, at time: Duration) -> String { "" }
  mutating func closing(at time: Duration) -> String { "" }
}
