internal import Model

/// One line that is redrawn: phase, amount, rate and time left; finished phases stay above it.
struct LiveRenderer: Renderer, Sendable {
  private struct Current: Sendable {
    var phase: BuildEvent.Phase
    var total: Int?
    var unit: BuildEvent.Unit
    var began: Duration
    var done = 0
    var subject = ""
  }

  /// Redraws no more often than this.
  private static let interval = Duration.milliseconds(80)
  private static let clearLine = "\r\u{1B}[K"

  private var current: Current?
  private var drawn: Duration?
  private var notes: [String] = []

  mutating func text(for event: BuildEvent, at time: Duration) -> String {
    switch event {
    case .began(let phase, let total, let unit):
      current = Current(phase: phase, total: total, unit: unit, began: time)
      return draw(at: time)
    case .advanced(let phase, let done, let subject):
      guard current?.phase == phase else { return "" }
      current?.done = done
      current?.subject = subject
      if let drawn, time - drawn < Self.interval { return "" }
      return draw(at: time)
    case .ended(let phase):
      guard let ended = current, ended.phase == phase else { return "" }
      current = nil
      let took = padded(seconds(time - ended.began), -10)
      let amount =
        (ended.total ?? (ended.done > 0 ? ended.done : nil))
        .map { "  " + amountText($0, ended.unit) } ?? ""
      return "\(Self.clearLine)  \(padded(phase.rawValue, 10))\(took)\(amount)\n"
    case .stage(let name, let reason):
      return "\(Self.clearLine)\(name): \(reason ?? "reused")\n" + draw(at: time)
    case .stageEnded: return ""
    case .note(let text): return "\(Self.clearLine)note: \(text)\n" + draw(at: time)
    case .output(let line):
      current?.subject = line
      if let drawn, time - drawn < Self.interval { return "" }
      return draw(at: time)
    }
  }

  mutating func closing(at time: Duration) -> String {
    current == nil ? "" : Self.clearLine
  }

  private mutating func draw(at time: Duration) -> String {
    guard let current else { return "" }
    drawn = time
    var line =
      "  \(padded(current.phase.rawValue, 10))\(padded(seconds(time - current.began), -10))"
    if current.done > 0 {
      line += "  " + amountText(current.done, current.unit)
      if let total = current.total { line += " of " + amountText(total, current.unit) }
      line += rate(of: current, at: time)
    }
    if !current.subject.isEmpty { line += "  " + current.subject }
    let shown = line.unicodeScalars.filter { $0.properties.generalCategory != .control }
    return Self.clearLine
      + String(String.UnicodeScalarView(shown.prefix(StandardError.columns - 1)))
  }

  private func rate(of current: Current, at time: Duration) -> String {
    let elapsed = time - current.began
    let milliseconds = Int(elapsed / .milliseconds(1))
    guard milliseconds > 500 else { return "" }
    let perSecond = current.done * 1000 / milliseconds
    var text = ", " + amountText(perSecond, current.unit) + "/s"
    if let total = current.total, perSecond > 0, total > current.done {
      text += ", \(seconds(.seconds((total - current.done) / perSecond))) left"
    }
    return text
  }
}
