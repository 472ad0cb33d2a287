internal import Model

/// Puts values in the place of `${name}` and `${env:NAME}`; `$${` stands for `${` itself.
///
/// Only values change, never keys. What is put in is not looked at again, but for the values of
/// `[vars]`, which may name each other.
struct Variables {
  private let declared: [String: Located<String>]
  private let overrides: [String: String]
  private let surroundings: [String: String]
  private let report: Report
  /// The environment variables that the recipe has asked for so far.
  private(set) var environment: [String: String] = [:]
  /// The values of `[vars]` that were needed so far; nil for one that has none.
  private var known: [String: String?] = [:]
  private static let maximumBytes = 1 << 20

  /// - Parameters:
  ///   - recipe: the merged recipe, for its table `vars`.
  ///   - overrides: values that go before those of `vars`, taken as they are.
  ///   - environment: what `${env:NAME}` takes from.
  init(
    of recipe: TOMLTable, overrides: [String: String], environment: [String: String],
    report: Report
  ) {
    self.overrides = overrides
    self.report = report
    surroundings = environment
    var declared: [String: Located<String>] = [:]
    var start = SourcePosition(file: report.files.first ?? "", line: 1, column: 1)
    if let entry = recipe["vars"] {
      start = entry.position
      if case .table(let table) = entry.value.content {
        for entry in table.entries {
          guard case .string(let text) = entry.value.content else {
            report.add(
              entry.value.position, "'\(entry.key)' must be a string, not \(entry.value.type)")
            continue
          }
          declared[entry.key] = Located(text, at: entry.value.position)
        }
      } else {
        report.add(start, "'vars' must be a table, not \(entry.value.type)")
      }
    }
    self.declared = declared
    for name in overrides.keys.sorted() where declared[name] == nil {
      report.missing(
        start, "'--set' names '\(name)', which [vars] does not declare",
        hint: suggestion(for: name, among: declared.keys.sorted()))
    }
  }

  /// A value with all variables in it, at any depth, replaced.
  mutating func expand(_ value: TOMLValue) -> TOMLValue {
    var value = value
    switch value.content {
    case .string(let text):
      let expanded = expand(text, at: value.position, within: [])
      if expanded == nil { report.spoil(value.position) }
      value.content = .string(expanded ?? "")
    case .array(let values): value.content = .array(values.map { expand($0) })
    case .table(let table): value.content = .table(expand(table))
    case .integer, .float, .boolean, .dateTime: break
    }
    return value
  }

  mutating func expand(_ table: TOMLTable) -> TOMLTable {
    var expanded = TOMLTable()
    for var entry in table.entries {
      entry.value = expand(entry.value)
      expanded.set(entry)
    }
    return expanded
  }

  /// Nil when a variable has no value; that is reported then.
  ///
  /// - Parameter names: the variables whose values are being expanded.
  private mutating func expand(
    _ text: String, at position: SourcePosition, within names: [String]
  ) -> String? {
    guard text.contains("${") else { return text }
    var result = ""
    var rest = text[...]
    while let mark = rest.firstRange(of: "${") {
      if rest[..<mark.lowerBound].hasSuffix("$") {
        result += rest[..<mark.lowerBound].dropLast() + "${"
        rest = rest[mark.upperBound...]
        continue
      }
      result += rest[..<mark.lowerBound]
      guard let end = rest[mark.upperBound...].firstIndex(of: "}") else {
        report.add(position, "'${' is not closed", hint: "'$${' stands for '${' itself")
        return nil
      }
      let name = String(rest[mark.upperBound..<end])
      guard let value = value(of: name, at: position, within: names) else { return nil }
      result += value
      rest = rest[rest.index(after: end)...]
    }
    return result + rest
  }

  private mutating func value(
    of name: String, at position: SourcePosition, within names: [String]
  ) -> String? {
    if name.hasPrefix("env:") {
      return environmentVariable(String(name.dropFirst(4)), at: position)
    }
    if let text = overrides[name] { return text }
    guard let variable = declared[name] else {
      report.missing(
        position, "unknown variable '\(name)'",
        hint: suggestion(for: name, among: declared.keys.sorted())
          ?? "'$${' stands for '${' itself")
      return nil
    }
    if names.contains(name) {
      let circle = (names + [name]).joined(separator: " → ")
      report.add(variable.position, "variable '\(name)' needs itself: \(circle)")
      return nil
    }
    if let text = known[name] { return text }
    var text = expand(variable.value, at: variable.position, within: names + [name])
    if let size = text?.utf8.count, size > Self.maximumBytes {
      report.add(variable.position, "variable '\(name)' grows beyond \(Self.maximumBytes) bytes")
      text = nil
    }
    known[name] = .some(text)
    return text
  }

  private mutating func environmentVariable(_ name: String, at position: SourcePosition) -> String?
  {
    guard let value = surroundings[name] else {
      report.add(position, "the environment variable '\(name)' is not set")
      return nil
    }
    environment[name] = value
    return value
  }
}
