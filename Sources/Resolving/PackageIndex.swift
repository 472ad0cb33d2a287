internal import Model

/// One Packages index: the stanzas of the packages that a repository offers.
struct PackageIndex: Sendable {
  struct Entry: Sendable {
    var name: String
    /// From the repository's base.
    var path: String
    var isEssential: Bool
    /// Its field of that name, as it stands.
    var provides: String?
    /// Where its stanza lies in `text`, the line feed of its last line included.
    var range: Range<Int>
  }

  let text: [UInt8]
  let entries: [Entry]

  /// Finds the stanzas in an index's uncompressed bytes.
  init(_ text: [UInt8]) {
    var entries: [Entry] = []
    text.withUnsafeBufferPointer { bytes in
      var scanner = StanzaScanner(bytes)
      while let entry = scanner.next() { entries.append(entry) }
    }
    self.text = text
    self.entries = entries
  }

  /// The stanza's text, without the empty line after it.
  func stanza(of entry: Entry) -> String { String(decoding: text[entry.range], as: UTF8.self) }

  /// The stanza's fields.
  func fields(of entry: Entry) -> ControlParagraph {
    ControlParagraph.paragraphs(of: stanza(of: entry)).first ?? ControlParagraph()
  }
}

extension PackageIndex.Entry {
  /// The names that it provides, without their versions.
  var providedNames: [String] {
    (provides ?? "").split(separator: ",").compactMap {
      $0.trimmed.split(whereSeparator: { " :(".contains($0) }).first.map(String.init)
    }
  }
}

/// Walks over lines without making strings of them: an index has a million.
private struct StanzaScanner {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var position = 0

  init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  mutating func next() -> PackageIndex.Entry? {
    var name: String?
    var path: String?
    var isEssential = false
    var provides: String?
    var start = position
    while position < bytes.count {
      let line = position..<endOfLine(from: position)
      position = line.upperBound + 1
      if line.isEmpty {
        if let name, let path {
          return PackageIndex.Entry(
            name: name, path: path, isEssential: isEssential, provides: provides,
            range: start..<line.lowerBound)
        }
        start = position
      } else if let value = value(of: "Package:", in: line) {
        name = value
      } else if let value = value(of: "Filename:", in: line) {
        path = value
      } else if let value = value(of: "Provides:", in: line) {
        provides = value
      } else if let value = value(of: "Essential:", in: line) {
        isEssential = value == "yes"
      }
    }
    guard let name, let path else { return nil }
    return PackageIndex.Entry(
      name: name, path: path, isEssential: isEssential, provides: provides,
      range: start..<bytes.count)
  }

  private func endOfLine(from start: Int) -> Int {
    bytes[start...].firstIndex(of: 10) ?? bytes.count
  }

  private func value(of field: StaticString, in line: Range<Int>) -> String? {
    let length = field.utf8CodeUnitCount
    guard line.count > length, bytes[line.lowerBound] == field.utf8Start.pointee else { return nil }
    for index in 0..<length where bytes[line.lowerBound + index] != field.utf8Start[index] {
      return nil
    }
    return String(decoding: bytes[line.lowerBound + length..<line.upperBound], as: UTF8.self)
      .trimmed
  }
}
