/// A paragraph of a Debian control file: fields in their order, values as their bytes.
///
/// A value keeps its further lines with the blank that begins each of them. As dpkg does it, blanks go
/// at the value's beginning and end, and stay at the ends of the lines between. Field names are compared without regard to case. Format: deb-control(5).
struct Stanza: Equatable, Sendable {
  struct Field: Equatable, Sendable {
    var name: String
    var value: [UInt8]
  }

  var fields: [Field] = []

  /// Reads the paragraphs of a control file; nil when a line is neither a field nor goes one on.
  static func parse(_ text: [UInt8]) -> [Stanza]? {
    var stanzas: [Stanza] = []
    var current = Stanza()
    for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      guard let first = line.first else {
        if !current.fields.isEmpty { stanzas.append(current.trimmed) }
        current = Stanza()
        continue
      }
      if isBlank(first) {
        guard !current.fields.isEmpty else { return nil }
        current.fields[current.fields.count - 1].value += [UInt8(ascii: "\n")] + line
      } else {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex
        else { return nil }
        current.fields.append(
          Field(
            name: String(decoding: line[..<colon], as: UTF8.self),
            value: Array(line[(colon + 1)...].drop(while: isBlank))))
      }
    }
    if !current.fields.isEmpty { stanzas.append(current.trimmed) }
    return stanzas
  }

  /// The same without blanks and empty lines at the ends of values.
  private var trimmed: Stanza {
    var stanza = self
    for index in stanza.fields.indices {
      while let last = stanza.fields[index].value.last, isBlank(last) || last == UInt8(ascii: "\n")
      {
        stanza.fields[index].value.removeLast()
      }
    }
    return stanza
  }

  /// The value of a field; nil when it is missing.
  func value(of name: String) -> [UInt8]? {
    fields.first { isSame($0.name, name) }?.value
  }

  /// The value of a field as text; nil when it is missing.
  subscript(name: String) -> String? { value(of: name).map { String(decoding: $0, as: UTF8.self) } }
}

/// Whether two field names are the same; only ASCII has case.
func isSame(_ left: String, _ right: String) -> Bool {
  left.utf8.count == right.utf8.count
    && zip(left.utf8, right.utf8).allSatisfy { lowercase($0) == lowercase($1) }
}

private func lowercase(_ byte: UInt8) -> UInt8 {
  (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte + 32 : byte
}

private func isBlank(_ byte: UInt8) -> Bool {
  byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
}
