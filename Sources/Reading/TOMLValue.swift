internal import Model

/// A value of a TOML document and where it begins.
struct TOMLValue: Sendable {
  enum Content: Sendable {
    case string(String)
    /// The radix in which the document wrote it: 2, 8, 10 or 16.
    case integer(Int, radix: Int)
    case float(Double)
    case boolean(Bool)
    case dateTime(TOMLDateTime)
    case array([TOMLValue])
    case table(TOMLTable)
  }

  var content: Content
  var position: SourcePosition

  /// What messages call its type.
  var type: String {
    switch content {
    case .string: "string"
    case .integer: "integer"
    case .float: "float"
    case .boolean: "boolean"
    case .dateTime: "date or time"
    case .array(let values):
      if !values.isEmpty, values.allSatisfy(\.isTable) { "array of tables" } else { "array" }
    case .table: "table"
    }
  }

  var isTable: Bool {
    if case .table = content { true } else { false }
  }
}

/// A date, a time or both, checked against the calendar, as the document wrote it.
struct TOMLDateTime: Sendable, Equatable {
  enum Kind: Sendable { case offset, local, date, time }

  var kind: Kind
  /// RFC 3339, with `T` and `Z` in upper case.
  var text: String
}

/// Keys with their values in the order of the document; keys are equal when their bytes are.
struct TOMLTable: Sendable {
  struct Entry: Sendable {
    var key: String
    /// Where the key stands.
    var position: SourcePosition
    var value: TOMLValue
  }

  private(set) var entries: [Entry] = []
  private var places: [[UInt8]: Int] = [:]

  subscript(key: String) -> Entry? {
    places[Array(key.utf8)].map { entries[$0] }
  }

  /// Adds an entry, in the place of an older one with the same key.
  mutating func set(_ entry: Entry) {
    let name = Array(entry.key.utf8)
    if let place = places[name] {
      entries[place] = entry
    } else {
      places[name] = entries.count
      entries.append(entry)
    }
  }
}
