internal import Model

/// The time that each phase took, and each stage of the root that was built, in the order in which they
/// began; the phases of a stage are part of it.
struct PhaseTable: Sendable, CustomStringConvertible {
  private var rows: [(name: String, began: Duration, took: Duration?)] = []
  private var isInStage = false

  mutating func record(_ event: BuildEvent, at time: Duration) {
    switch event {
    case .stage(let name, .some):
      isInStage = true
      rows.append((name, time, nil))
    case .stageEnded(let name):
      end(name, at: time)
      isInStage = false
    case .began(let phase, _, _) where !isInStage: rows.append((phase.rawValue, time, nil))
    case .ended(let phase) where !isInStage: end(phase.rawValue, at: time)
    case .began, .ended, .stage, .advanced, .note, .output: break
    }
  }

  /// How long each phase took; one that ran twice counts both.
  var milliseconds: [String: Int] {
    rows.reduce(into: [:]) { sums, row in
      guard let took = row.took?.components else { return }
      sums[row.name, default: 0] +=
        Int(took.seconds * 1000 + took.attoseconds / 1_000_000_000_000_000)
    }
  }

  private mutating func end(_ name: String, at time: Duration) {
    guard let row = rows.lastIndex(where: { $0.name == name && $0.took == nil }) else { return }
    rows[row].took = time - rows[row].began
  }

  var description: String {
    let width = max(12, (rows.map(\.name.count).max() ?? 0) + 2)
    return rows.compactMap { row in
      row.took.map { "  " + padded(row.name, width) + padded(seconds($0), -9) + "\n" }
    }.joined()
  }
}

/// `text` filled with spaces to `width` columns, on its right, or on its left for a negative width.
func padded(_ text: String, _ width: Int) -> String {
  let blanks = String(repeating: " ", count: max(0, abs(width) - text.count))
  return width < 0 ? blanks + text : text + blanks
}

/// A duration as people read it: `0.42 s`, `12.3 s`, `3 min 05 s`.
func seconds(_ duration: Duration) -> String {
  let milliseconds =
    duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
  if milliseconds >= 60_000 {
    let rest = (milliseconds / 1000) % 60
    return "\(milliseconds / 60_000) min \(rest < 10 ? "0" : "")\(rest) s"
  }
  if milliseconds >= 10_000 { return "\(milliseconds / 1000).\((milliseconds / 100) % 10) s" }
  let hundredths = (milliseconds / 10) % 100
  return "\(milliseconds / 1000).\(hundredths < 10 ? "0" : "")\(hundredths) s"
}

/// A number of bytes as people read it, in binary units: `2.6 GiB`, `14 KiB`.
func bytes(_ count: Int) -> String {
  var value = count
  var rest = 0
  var unit = 0
  let units = ["B", "KiB", "MiB", "GiB", "TiB"]
  while value >= 1024, unit < units.count - 1 {
    rest = (value % 1024) * 10 / 1024
    value /= 1024
    unit += 1
  }
  return unit > 0 && value < 100 ? "\(value).\(rest) \(units[unit])" : "\(value) \(units[unit])"
}
