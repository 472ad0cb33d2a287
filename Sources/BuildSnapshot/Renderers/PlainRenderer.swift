internal import Model

/// One line when a phase begins and one when it ends: for pipes and logs.
struct PlainRenderer: Renderer, Sendable {
  private var began: [BuildEvent.Phase: Duration] = [:]
  private var stageBegan = Duration.zero

  mutating func text(for event: BuildEvent, at time: Duration) -> String {
    switch event {
    case .began(.compile, _, _):
      // Named when it is known which program it is.
      began[.compile] = time
      return ""
    case .advanced(.compile, _, let program): return "compile \(program)\n"
    case .began(let phase, let total, let unit):
      began[phase] = time
      let amount = total.map { " " + amountText($0, unit) + items(of: phase, $0) } ?? ""
      return "\(phase.rawValue)\(amount)\n"
    case .ended(let phase):
      guard let start = began.removeValue(forKey: phase) else { return "" }
      return "\(phase.rawValue) done in \(seconds(time - start))\n"
    case .stage(let name, nil): return "stage \(name): reused\n"
    case .stage(let name, let reason?):
      stageBegan = time
      return "stage \(name): \(reason)\n"
    case .stageEnded(let name): return "stage \(name) done in \(seconds(time - stageBegan))\n"
    case .note(let text): return "note: \(text)\n"
    case .advanced, .output: return ""
    }
  }

  mutating func closing(at time: Duration) -> String { "" }

  /// What a phase counts, where it is not bytes.
  private func items(of phase: BuildEvent.Phase, _ count: Int) -> String {
    switch phase {
    case .configure: count == 1 ? " package" : " packages"
    case .customise: count == 1 ? " step" : " steps"
    default: ""
    }
  }
}

func amountText(_ amount: Int, _ unit: BuildEvent.Unit) -> String {
  switch unit {
  case .bytes: bytes(amount)
  case .items: "\(amount)"
  }
}
