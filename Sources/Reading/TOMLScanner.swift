internal import Model

/// Walks over the bytes of a document and knows the line and column of the next one.
///
/// The bytes are valid UTF-8; columns count characters (Unicode scalars).
struct TOMLScanner {
  private let bytes: [UInt8]
  private let file: String
  private var offset = 0
  private var line = 1
  private var column = 1
  private var lineStart = 0

  /// - Parameter file: what positions call the document.
  init(_ bytes: [UInt8], file: String) {
    self.bytes = bytes
    self.file = file
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {  // a byte order mark is no part of the text
      offset = 3
      lineStart = 3
    }
  }

  var position: SourcePosition { SourcePosition(file: file, line: line, column: column) }

  /// The next byte; nil at the end.
  var next: UInt8? { byte(at: 0) }

  /// The byte so far ahead of the next one.
  func byte(at distance: Int) -> UInt8? {
    offset + distance < bytes.count ? bytes[offset + distance] : nil
  }

  func startsWith(_ text: StaticString) -> Bool {
    text.withUTF8Buffer { text in
      text.count <= bytes.count - offset
        && text.indices.allSatisfy { bytes[offset + $0] == text[$0] }
    }
  }

  /// Steps over one byte.
  mutating func advance() {
    let byte = bytes[offset]
    offset += 1
    if byte == .newline {
      line += 1
      column = 1
      lineStart = offset
    } else if offset == bytes.count || bytes[offset] & 0xC0 != 0x80 {
      column += 1  // at the last byte of a character
    }
  }

  mutating func advance(by count: Int) {
    for _ in 0..<count { advance() }
  }

  /// Steps over the byte if it comes next.
  mutating func skip(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    advance()
    return true
  }

  mutating func skipBlanks() {
    while let byte = next, byte == .space || byte == .tab { advance() }
  }

  /// Steps over a line's end, `\n` or `\r\n`, if it comes next.
  mutating func skipLineEnd() -> Bool {
    if next == .carriageReturn, byte(at: 1) == .newline { advance() }
    return skip(.newline)
  }

  mutating func skipLine() {
    while let byte = next, byte != .newline { advance() }
  }

  /// Steps over a comment up to its line's end, if one comes next.
  mutating func skipComment() throws(Diagnostic) {
    guard skip(.hash) else { return }
    while let byte = next, byte != .newline,
      !(byte == .carriageReturn && self.byte(at: 1) == .newline)
    {
      try refuseControl(byte, in: "a comment")
      advance()
    }
  }

  /// Steps over blanks, comments and line ends.
  mutating func skipBlankLines() throws(Diagnostic) {
    repeat {
      skipBlanks()
      try skipComment()
    } while skipLineEnd()
  }

  mutating func returnToLineStart() {
    offset = lineStart
    column = 1
  }

  /// Takes the bytes for which the rule holds.
  mutating func take(while rule: (UInt8) -> Bool) -> [UInt8] {
    let start = offset
    while let byte = next, rule(byte) { advance() }
    return Array(bytes[start..<offset])
  }

  func refuseControl(_ byte: UInt8, in place: String) throws(Diagnostic) {
    guard byte.isControl else { return }
    throw fault("\(place) cannot hold the control character \(name(of: byte))")
  }

  func fault(_ message: String, hint: String? = nil) -> Diagnostic {
    Diagnostic(at: position, message, hint: hint)
  }

  /// What comes next, for messages.
  var found: String {
    guard let next else { return "the end of the file" }
    if next == .newline || startsWith("\r\n") { return "the end of the line" }
    if next.isControl { return name(of: next) }
    let character = String(decoding: bytes[offset...].prefix(4), as: UTF8.self).unicodeScalars.first
    return character.map { "'\($0)'" } ?? "nothing"
  }

  private func name(of control: UInt8) -> String {
    let digits = String(control, radix: 16, uppercase: true)
    return "U+" + String(repeating: "0", count: 4 - digits.count) + digits
  }
}

extension UInt8 {
  static let tab = UInt8(ascii: "\t")
  static let newline = UInt8(ascii: "\n")
  static let carriageReturn = UInt8(ascii: "\r")
  static let space = UInt8(ascii: " ")
  static let quote = UInt8(ascii: "\"")
  static let apostrophe = UInt8(ascii: "'")
  static let hash = UInt8(ascii: "#")
  static let comma = UInt8(ascii: ",")
  static let dot = UInt8(ascii: ".")
  static let equals = UInt8(ascii: "=")
  static let backslash = UInt8(ascii: "\\")
  static let underscore = UInt8(ascii: "_")
  static let openBracket = UInt8(ascii: "[")
  static let closeBracket = UInt8(ascii: "]")
  static let openBrace = UInt8(ascii: "{")
  static let closeBrace = UInt8(ascii: "}")

  /// Control characters that TOML admits nowhere: all but tab.
  var isControl: Bool { self < 0x20 && self != .tab || self == 0x7F }
  var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
  var isLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) }
  /// May stand in a key without quotes.
  var isBare: Bool { isLetter || isDigit || self == .underscore || self == UInt8(ascii: "-") }
}
