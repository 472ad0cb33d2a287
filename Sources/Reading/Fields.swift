internal import Model

/// The keys of one table, taken one after another; what nobody asked for is unknown.
///
/// Every fault goes to the report, and a stand-in comes back: reading goes on.
struct Fields {
  /// What messages call the table: `[image]`, `[[file]]`.
  let name: String
  /// Where the table stands.
  let position: SourcePosition
  let report: Report
  private let table: TOMLTable
  private var known: [String] = []
  private var absent: [String] = []

  init(_ table: TOMLTable, name: String, at position: SourcePosition, report: Report) {
    self.table = table
    self.name = name
    self.position = position
    self.report = report
  }

  /// The entry of a key, which counts as known from here on.
  mutating func take(_ key: String) -> TOMLTable.Entry? {
    known.append(key)
    return table[key]
  }

  func has(_ key: String) -> Bool { table[key] != nil }

  /// Reports the keys that nobody took and those that are missing; comes last.
  func finish() {
    var misspelt: [String] = []
    for entry in table.entries where !known.contains(entry.key) {
      let near = nearestName(to: entry.key, among: known)
      if let near { misspelt.append(near) }
      report.add(
        entry.position, "unknown key '\(entry.key)' in \(name)",
        hint: near.map { "did you mean '\($0)'?" })
    }
    for key in absent where !misspelt.contains(key) {
      report.missing(position, "missing key '\(key)' in \(name)")
    }
  }

  func refuse(_ position: SourcePosition, _ message: String, hint: String? = nil) {
    report.add(position, message, hint: hint)
  }

  mutating func string(_ key: String, _ form: Form) -> Located<String>? {
    take(key).flatMap { string(key, $0.value, form) }
  }

  /// A string that must be there; an empty one stands in for it.
  mutating func required(_ key: String, _ form: Form) -> Located<String> {
    if let entry = take(key) {
      return string(key, entry.value, form) ?? Located("", at: entry.value.position)
    }
    missing(key)
    return Located("", at: position)
  }

  mutating func missing(_ key: String) { absent.append(key) }

  mutating func boolean(_ key: String) -> Bool? {
    guard let entry = take(key) else { return nil }
    guard case .boolean(let value) = entry.value.content else {
      mustBe("true or false", key, entry.value)
      return nil
    }
    return value
  }

  mutating func integer(_ key: String, in range: ClosedRange<Int>) -> Located<Int>? {
    guard let entry = take(key) else { return nil }
    guard case .integer(let value, _) = entry.value.content else {
      mustBe("an integer", key, entry.value)
      return nil
    }
    guard range.contains(value) else {
      refuse(
        entry.value.position,
        "'\(key)' must be from \(range.lowerBound) to \(range.upperBound), not \(value)")
      return nil
    }
    return Located(value, at: entry.value.position)
  }

  /// A number of bytes, written as an integer or as text with a unit.
  mutating func size(_ key: String, in range: ClosedRange<Int>, multipleOf unit: Int = 1) -> Int? {
    guard let entry = take(key) else { return nil }
    let place = entry.value.position
    let bytes: Int
    switch entry.value.content {
    case .integer(let value, _): bytes = value
    case .string(let text):
      guard let value = Size(text) else {
        refuse(
          place, "'\(key)' must be a size such as '8GiB' or '512MiB', not '\(text)'",
          hint: Size.suggestion(for: text))
        return nil
      }
      bytes = value.bytes
    default:
      mustBe("a size such as '8GiB'", key, entry.value)
      return nil
    }
    guard range.contains(bytes) else {
      let bounds = "from \(Size(range.lowerBound)) to \(Size(range.upperBound))"
      refuse(place, "'\(key)' must be \(bounds), not \(Size(bytes))")
      return nil
    }
    guard bytes.isMultiple(of: unit) else {
      refuse(place, "'\(key)' must be a multiple of \(unit) bytes, not \(bytes)")
      return nil
    }
    return bytes
  }

  /// Permission bits, written as text or as an octal number.
  mutating func mode(_ key: String) -> UInt16? {
    guard let entry = take(key) else { return nil }
    switch entry.value.content {
    case .string(let text):
      if (3...5).contains(text.utf8.count), let bits = UInt16(text, radix: 8), bits <= 0o7777 {
        return bits
      }
      refuse(entry.value.position, "'\(key)' must be octal, such as '0644', not '\(text)'")
    case .integer(let bits, radix: 8) where (0...0o7777).contains(bits): return UInt16(bits)
    case .integer(let bits, let radix):
      refuse(
        entry.value.position,
        "'\(key)' must be octal, such as '0644', not \(radix == 8 ? "0o" + String(bits, radix: 8) : String(bits))",
        hint: radix == 10 && bits > 0 ? "did you mean '0\(bits)'?" : nil)
    default: mustBe("octal, such as '0644'", key, entry.value)
    }
    return nil
  }

  /// An array of strings; nothing when the key is not there.
  mutating func strings(_ key: String, _ form: Form) -> [Located<String>] {
    take(key).map { strings(key, $0.value, form) } ?? []
  }

  /// One string or an array of them.
  mutating func stringOrStrings(_ key: String, _ form: Form) -> [Located<String>] {
    guard let entry = take(key) else { return [] }
    if case .string = entry.value.content {
      return string(key, entry.value, form).map { [$0] } ?? []
    }
    guard case .array = entry.value.content else {
      mustBe("a string or an array of strings", key, entry.value)
      return []
    }
    return strings(key, entry.value, form)
  }

  /// A table of strings, in the order of the text.
  mutating func pairs(
    _ key: String, key keyForm: Form, value valueForm: Form
  ) -> [(key: Located<String>, value: Located<String>)] {
    guard let entry = take(key) else { return [] }
    guard case .table(let table) = entry.value.content else {
      mustBe("a table", key, entry.value)
      return []
    }
    return table.entries.compactMap { pair in
      let isKeyRight = check(key, "a key of '\(key)'", pair.key, at: pair.position, keyForm)
      let value = string(pair.key, pair.value, valueForm)
      return isKeyRight ? value.map { (Located(pair.key, at: pair.position), $0) } : nil
    }
  }

  private func strings(_ key: String, _ value: TOMLValue, _ form: Form) -> [Located<String>] {
    guard case .array(let values) = value.content else {
      mustBe("an array of strings", key, value)
      return []
    }
    return values.compactMap { value in
      guard case .string(let text) = value.content else {
        refuse(value.position, "'\(key)' must hold strings, not \(value.type)")
        return nil
      }
      return check(key, "each of '\(key)'", text, at: value.position, form)
        ? Located(text, at: value.position) : nil
    }
  }

  private func string(_ key: String, _ value: TOMLValue, _ form: Form) -> Located<String>? {
    guard case .string(let text) = value.content else {
      mustBe("a string", key, value)
      return nil
    }
    return check(key, "'\(key)'", text, at: value.position, form)
      ? Located(text, at: value.position) : nil
  }

  private func check(
    _ key: String, _ subject: String, _ text: String, at position: SourcePosition, _ form: Form
  ) -> Bool {
    if form.accepts(text) { return true }
    let brief = text.count > 100 ? text.prefix(100) + "…" : text
    let shown = withoutCredentials(brief)
    refuse(position, "\(subject) must be \(form.name), not '\(shown)'", hint: form.hint(text))
    return false
  }

  func mustBe(_ what: String, _ key: String, _ value: TOMLValue) {
    refuse(value.position, "'\(key)' must be \(what), not \(value.type)")
  }
}
