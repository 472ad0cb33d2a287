/// A paragraph of a Debian control file: fields in their order, values as their bytes.
///
/// A value keeps its further lines with the blank that begins each of them, without the newline at
/// its end. Field names are compared without regard to case. Format: deb-control(5).
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
        if !current.fields.isEmpty { stanzas.append(current) }
        current = Stanza()
        continue
      }
      if first == UInt8(ascii: " ") || first == UInt8(ascii: "\t") {
        guard !current.fields.isEmpty else { return nil }
        current.fields[current.fields.count - 1].value += [UInt8(ascii: "\n")] + line
      } else {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex
        else { return nil }
        current.fields.append(
          Field(
            name: String(decoding: line[..<colon], as: UTF8.self),
            value: trimmed(line[(colon + 1)...])))
      }
    }
    if !current.fields.isEmpty { stanzas.append(current) }
    return stanzas
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

private func trimmed(_ value: ArraySlice<UInt8>) -> [UInt8] {
  let isBlank = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
  var value = value.drop(while: isBlank)
  while let last = value.last, isBlank(last) { value.removeLast() }
  return Array(value)
}
