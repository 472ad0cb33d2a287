/// A place in a text file; lines and columns count from 1, columns in characters.
public struct SourcePosition: Sendable, Hashable, CustomStringConvertible {
  /// The path as the user gave it, or as `extends` names it from there.
  public var file: String
  public var line: Int
  public var column: Int

  public init(file: String, line: Int, column: Int) {
    self.file = file
    self.line = line
    self.column = column
  }

  public var description: String { "\(file):\(line):\(column)" }
}

/// A value from a text file and where it stands.
public struct Located<Value: Sendable & Equatable>: Sendable, Equatable {
  public var value: Value
  public var position: SourcePosition

  public init(_ value: Value, at position: SourcePosition) {
    self.value = value
    self.position = position
  }
}

/// One fault in a recipe or a lock, printed as compilers print so that editors can jump to it.
public struct Diagnostic: Error, Sendable, Hashable, CustomStringConvertible {
  public var position: SourcePosition
  /// Lower case, no full stop, names quoted with '…'.
  public var message: String
  /// What to do about it, when we know.
  public var hint: String?

  public init(at position: SourcePosition, _ message: String, hint: String? = nil) {
    self.position = position
    self.message = message
    self.hint = hint
  }

  public var description: String {
    "\(position): error: \(message)" + (hint.map { "; \($0)" } ?? "")
  }
}

/// All faults of a recipe at once, in the order in which they stand in the files.
public struct FaultyRecipe: Error, Sendable, Equatable, CustomStringConvertible {
  public var diagnostics: [Diagnostic]

  public init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }

  public var description: String {
    diagnostics.map(\.description).joined(separator: "\n")
  }
}
