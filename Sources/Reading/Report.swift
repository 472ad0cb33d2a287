internal import Model

/// Collects the faults of a recipe while reading goes on, and the names that are taken.
final class Report {
  private var diagnostics: [Diagnostic] = []
  /// The files in the order in which they were read: the order of the messages.
  private(set) var files: [String] = []
  private var claims: [String: SourcePosition] = [:]
  /// Part of a file could not be read: what seems to be missing may stand there.
  private(set) var isIncomplete = false
  /// Where values stand that variables have spoiled: what follows from that is not reported.
  private var spoiled: Set<SourcePosition> = []

  var isEmpty: Bool { diagnostics.isEmpty }

  func began(_ file: String) { files.append(file) }

  /// Takes over the faults of a file that could not be read as a whole.
  func add(unreadable faults: [Diagnostic]) {
    for fault in faults { add(fault.position, fault.message, hint: fault.hint) }
    isIncomplete = isIncomplete || !faults.isEmpty
  }

  func add(_ position: SourcePosition, _ message: String, hint: String? = nil) {
    guard !spoiled.contains(position) else { return }
    diagnostics.append(
      Diagnostic(at: position, printable(message), hint: hint.map(printable)))
  }

  /// Reports nothing more about the value that stands there.
  func spoil(_ position: SourcePosition) { spoiled.insert(position) }

  /// Reports something that is not there, unless it may stand in a part that could not be read.
  func missing(_ position: SourcePosition, _ message: String, hint: String? = nil) {
    if !isIncomplete { add(position, message, hint: hint) }
  }

  /// Takes a name that may be taken once; `kind` is what messages call it.
  ///
  /// - Returns: whether it was free.
  @discardableResult
  func claim(_ kind: String, _ name: String, at position: SourcePosition) -> Bool {
    if let first = claims["\(kind) \(name)"] {
      add(position, "\(kind) '\(name)' is named twice", hint: "the first stands at \(first)")
      return false
    }
    claims["\(kind) \(name)"] = position
    return true
  }

  /// All faults, in the order of the files and of the text in them.
  var fault: FaultyRecipe {
    let order = Dictionary(files.enumerated().map { ($1, $0) }) { first, _ in first }
    func key(_ diagnostic: Diagnostic) -> (Int, Int, Int, String) {
      let position = diagnostic.position
      return (order[position.file] ?? 0, position.line, position.column, diagnostic.message)
    }
    return FaultyRecipe(Set(diagnostics).sorted { key($0) < key($1) })
  }
}

/// A message without characters that could move a terminal's cursor.
private func printable(_ message: String) -> String {
  message.unicodeScalars.reduce(into: "") { text, scalar in
    let isControl = scalar.properties.generalCategory == .control
    text += isControl ? scalar.escaped(asASCII: true) : String(scalar)
  }
}
