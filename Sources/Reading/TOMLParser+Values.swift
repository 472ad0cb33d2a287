internal import Model

extension TOMLParser {
  /// The value that comes next.
  ///
  /// - Parameter depth: how many tables and arrays it is in.
  mutating func value(depth: Int) throws(Diagnostic) -> TOMLValue {
    let position = scanner.position
    guard depth <= Self.maximumDepth else { throw tooDeep(position) }
    let content: TOMLValue.Content =
      switch scanner.next {
      case UInt8.quote, UInt8.apostrophe: .string(try string())
      case UInt8.openBracket: .array(try array(depth: depth))
      case UInt8.openBrace: .table(try inlineTable(depth: depth))
      default: try word()
      }
    return TOMLValue(content: content, position: position)
  }

  /// `[1, 2]`, over as many lines as it likes.
  private mutating func array(depth: Int) throws(Diagnostic) -> [TOMLValue] {
    let line = scanner.position.line
    openings += 1
    scanner.advance()
    var values: [TOMLValue] = []
    while true {
      try scanner.skipBlankLines()
      if scanner.skip(.closeBracket) { break }
      guard scanner.next != nil else {
        throw scanner.fault("the array that begins in line \(line) is not closed")
      }
      values.append(try value(depth: depth + 1))
      try scanner.skipBlankLines()
      guard scanner.skip(.comma) || scanner.next == .closeBracket else {
        throw scanner.fault(
          "expected ',' or ']' in the array that begins in line \(line), found \(scanner.found)")
      }
    }
    openings -= 1
    return values
  }

  /// `{ a = 1, b.c = 2 }`, on one line but for the values in it.
  private mutating func inlineTable(depth: Int) throws(Diagnostic) -> TOMLTable {
    let table = TOMLTableNode(.header, depth: depth)
    openings += 1
    scanner.advance()
    scanner.skipBlanks()
    if !scanner.skip(.closeBrace) {
      repeat {
        scanner.skipBlanks()
        try keyAndValue(into: table)
        scanner.skipBlanks()
      } while scanner.skip(.comma)
      guard scanner.skip(.closeBrace) else {
        throw scanner.fault("expected ',' or '}' in the table in braces, found \(scanner.found)")
      }
    }
    openings -= 1
    return table.table
  }

  /// A value without quotes or brackets: a number, a date, `true` or `false`.
  private mutating func word() throws(Diagnostic) -> TOMLValue.Content {
    let start = scanner
    var word = scanner.take(while: \.isWord)
    // A blank may stand between a date and a time.
    if word.count == 10, word[4] == UInt8(ascii: "-"), scanner.next == .space,
      scanner.byte(at: 1)?.isDigit == true
    {
      scanner.advance()
      word.append(UInt8(ascii: "T"))
      word += scanner.take(while: \.isWord)
    }
    guard !word.isEmpty else { throw scanner.fault("expected a value, found \(scanner.found)") }
    switch classify(word) {
    case .value(let content): return content
    case .fault(let message): throw start.fault(message)
    case .text:
      throw start.fault(
        "expected a value, found '\(String(decoding: word, as: UTF8.self))'",
        hint: "text stands in quotes")
    }
  }
}

extension UInt8 {
  /// May stand in a number, a date or a Boolean.
  fileprivate var isWord: Bool {
    isBare || self == .dot || self == UInt8(ascii: "+") || self == UInt8(ascii: ":")
  }
}
