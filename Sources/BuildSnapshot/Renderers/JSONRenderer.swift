internal import FoundationEssentials
internal import Model

/// One JSON object per line and event: for programs that watch a build.
struct JSONRenderer: Renderer, Sendable {
  private struct Line: Encodable {
    var event: String
    var phase: BuildEvent.Phase?
    var total: Int?
    var unit: BuildEvent.Unit?
    var done: Int?
    var text: String?
    /// Milliseconds since the start.
    var time: Int
    var stage: String?
  }

  mutating func text(for event: BuildEvent, at time: Duration) -> String {
    let milliseconds = Int(time / .milliseconds(1))
    let line: Line =
      switch event {
      case .began(let phase, let total, let unit):
        Line(event: "began", phase: phase, total: total, unit: unit, time: milliseconds)
      case .advanced(let phase, let done, let subject):
        Line(event: "advanced", phase: phase, done: done, text: subject, time: milliseconds)
      case .ended(let phase): Line(event: "ended", phase: phase, time: milliseconds)
      case .stage(let name, let reason):
        Line(event: "stage", text: reason, time: milliseconds, stage: name)
      case .stageEnded(let name): Line(event: "stageEnded", time: milliseconds, stage: name)
      case .note(let text): Line(event: "note", text: text, time: milliseconds)
      case .output(let text): Line(event: "output", text: text, time: milliseconds)
      }
    return json(line, isPretty: false)
  }

  mutating func closing(at time: Duration) -> String { "" }
}

/// A value as JSON with sorted keys and a final newline.
func json(_ value: some Encodable, isPretty: Bool = true) -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  if isPretty { encoder.outputFormatting.insert(.prettyPrinted) }
  guard let data = try? encoder.encode(value) else {
    preconditionFailure("what we show is made of numbers and text, which JSON can hold")
  }
  return String(decoding: data, as: UTF8.self) + "\n"
}
