internal import Model

extension TOMLParser {
  /// The string that comes next, of any of the four kinds.
  mutating func string() throws(Diagnostic) -> String {
    if scanner.startsWith("\"\"\"") { return try longString(.quote) }
    if scanner.startsWith("'''") { return try longString(.apostrophe) }
    let start = scanner
    let delimiter: UInt8 = scanner.next == .quote ? .quote : .apostrophe
    scanner.advance()
    var text: [UInt8] = []
    while let byte = scanner.next, byte != .newline, !scanner.startsWith("\r\n") {
      if scanner.skip(delimiter) { return String(decoding: text, as: UTF8.self) }
      try scanner.refuseControl(byte, in: "a string")
      if byte == .backslash, delimiter == .quote {
        text += try escape()
      } else {
        text.append(byte)
        scanner.advance()
      }
    }
    throw start.fault("the string is not closed on its line")
  }

  /// A string of several lines; line ends come out as `\n`.
  private mutating func longString(_ delimiter: UInt8) throws(Diagnostic) -> String {
    let start = scanner
    openings += 1
    scanner.advance(by: 3)
    _ = scanner.skipLineEnd()
    var text: [UInt8] = []
    while let byte = scanner.next {
      if byte == delimiter, try isAtEnd(delimiter, text: &text) {
        openings -= 1
        return String(decoding: text, as: UTF8.self)
      }
      if scanner.skipLineEnd() {
        text.append(.newline)
      } else if byte == .backslash, delimiter == .quote {
        if !skipContinuation() { text += try escape() }
      } else if byte != delimiter {
        try scanner.refuseControl(byte, in: "a string")
        text.append(byte)
        scanner.advance()
      }
    }
    scanner = start  // what follows its first line may well be read
    throw scanner.fault("the string of several lines is not closed")
  }

  /// Takes a run of quotes: up to two belong to the text, three end it, before which two may stand.
  private mutating func isAtEnd(_ delimiter: UInt8, text: inout [UInt8]) throws(Diagnostic) -> Bool
  {
    let quotes = scanner.take { $0 == delimiter }
    guard quotes.count >= 3 else {
      text += quotes
      return false
    }
    guard quotes.count <= 5 else { throw scanner.fault("too many quotes end the string") }
    text += quotes.dropLast(3)
    return true
  }

  /// Steps over a backslash at a line's end with all white space behind it.
  private mutating func skipContinuation() -> Bool {
    var ahead = scanner
    ahead.advance()
    ahead.skipBlanks()
    guard ahead.skipLineEnd() else { return false }
    repeat { ahead.skipBlanks() } while ahead.skipLineEnd()
    scanner = ahead
    return true
  }

  /// `\n`, `\u00E9` and so on.
  private mutating func escape() throws(Diagnostic) -> [UInt8] {
    let start = scanner
    scanner.advance()
    guard let letter = scanner.next, letter != .newline else {
      throw start.fault("nothing follows the backslash")
    }
    if let byte = plainEscapes[letter] {
      scanner.advance()
      return [byte]
    }
    let count = letter == UInt8(ascii: "u") ? 4 : letter == UInt8(ascii: "U") ? 8 : 0
    guard count > 0 else {
      throw start.fault(
        "unknown escape: '\\' before \(scanner.found)",
        hint: "a string in '…' takes backslashes as they are")
    }
    scanner.advance()
    var number: UInt32 = 0
    for _ in 0..<count {
      guard let digit = scanner.next.flatMap({ Character(Unicode.Scalar($0)).hexDigitValue }) else {
        throw start.fault("\(count) hexadecimal digits must follow this escape")
      }
      number = number << 4 | UInt32(digit)
      scanner.advance()
    }
    guard let scalar = Unicode.Scalar(number) else {
      throw start.fault("the escape names no character of Unicode")
    }
    return Array(String(Character(scalar)).utf8)
  }
}

private let plainEscapes: [UInt8: UInt8] = [
  UInt8(ascii: "b"): 0x08, UInt8(ascii: "t"): 0x09, UInt8(ascii: "n"): 0x0A,
  UInt8(ascii: "f"): 0x0C, UInt8(ascii: "r"): 0x0D, .quote: .quote, .backslash: .backslash,
]
