internal import Model

/// A parsed document: all that could be read of it, and its faults in the order of the text.
struct TOMLDocument: Sendable {
  var table: TOMLTable
  var faults: [Diagnostic]
}

/// Parses a TOML 1.0 document; every key and value keeps its line and column.
///
/// Strict, and it never fails as a whole: after a fault it goes on with the next statement, so that
/// a reader sees all independent faults at once.
///
/// - Parameter file: what positions call the document.
func parseTOML(_ bytes: [UInt8], file: String) -> TOMLDocument {
  if let fault = encodingFault(in: bytes, file: file) {
    return TOMLDocument(table: TOMLTable(), faults: [fault])
  }
  var parser = TOMLParser(scanner: TOMLScanner(bytes, file: file))
  parser.parse()
  return TOMLDocument(table: parser.root.table, faults: parser.faults)
}

/// The place of the first bytes that are not UTF-8.
private func encodingFault(in bytes: [UInt8], file: String) -> Diagnostic? {
  do {
    _ = try UTF8Span(validating: bytes.span)
    return nil
  } catch {
    let valid = Array(bytes[..<error.byteOffsets.lowerBound])
    var scanner = TOMLScanner(valid, file: file)
    while scanner.next != nil { scanner.advance() }
    return scanner.fault("the text is not UTF-8")
  }
}

/// Reads statements: headers, and keys with their values.
struct TOMLParser {
  /// How deep tables and arrays may nest, so that no document can exhaust the stack.
  static let maximumDepth = 64

  var scanner: TOMLScanner
  private(set) var faults: [Diagnostic] = []
  let root = TOMLTableNode(.header, depth: 0)
  private var current: TOMLTableNode
  /// Brackets and long strings that are open: tells a fault's recovery whether more lines belong to it.
  var openings = 0

  init(scanner: TOMLScanner) {
    self.scanner = scanner
    current = root
  }

  mutating func parse() {
    while scanner.next != nil {
      let line = scanner.position.line
      do throws(Diagnostic) {
        try statement()
      } catch {
        faults.append(error)
        recover(from: line)
      }
    }
  }

  private mutating func statement() throws(Diagnostic) {
    scanner.skipBlanks()
    switch scanner.next {
    case UInt8.openBracket: try header()
    case .none, UInt8.newline, UInt8.hash, UInt8.carriageReturn: break
    default: try keyAndValue(into: current)
    }
    scanner.skipBlanks()
    try scanner.skipComment()
    guard scanner.next == nil || scanner.skipLineEnd() else {
      throw scanner.fault("expected the end of the line, found \(scanner.found)")
    }
  }

  /// Skips the rest of a faulty statement.
  private mutating func recover(from line: Int) {
    let isLong = openings > 0
    openings = 0
    if isLong, scanner.position.line > line { scanner.returnToLineStart() } else { skipLine() }
    guard isLong else { return }
    while scanner.next != nil, !isAtStatement() { skipLine() }
  }

  private mutating func skipLine() {
    scanner.skipLine()
    _ = scanner.skip(.newline)
  }

  /// Whether the line looks like a header, or like a bare key with a value.
  private func isAtStatement() -> Bool {
    var ahead = scanner
    ahead.skipBlanks()
    let isHeader = ahead.skip(.openBracket)
    _ = ahead.skip(.openBracket)
    let name = ahead.take { $0.isBare || $0 == .dot || $0 == .space }
    guard !name.isEmpty else { return false }
    guard isHeader else { return ahead.skip(.equals) }
    guard ahead.skip(.closeBracket) else { return false }
    _ = ahead.skip(.closeBracket)
    ahead.skipBlanks()
    return ahead.next == nil || ahead.next == .hash || ahead.skipLineEnd()
  }

  /// `[a.b]` or `[[a.b]]`.
  private mutating func header() throws(Diagnostic) {
    // After a faulty header its keys are read, but belong to nothing that is kept.
    current = TOMLTableNode(.header, depth: 0)
    let isArray = scanner.startsWith("[[")
    scanner.advance(by: isArray ? 2 : 1)
    scanner.skipBlanks()
    let path = try keyPath()
    guard isArray ? scanner.startsWith("]]") : scanner.next == .closeBracket else {
      let end = isArray ? "']]'" : "'.' or ']'"
      throw scanner.fault("expected \(end) after the table's name, found \(scanner.found)")
    }
    scanner.advance(by: isArray ? 2 : 1)
    current = try root.open(path, isArray: isArray)
  }

  /// `a.b = value`; the scanner stands behind the value then.
  mutating func keyAndValue(into table: TOMLTableNode) throws(Diagnostic) {
    let path = try keyPath()
    guard scanner.skip(.equals) else {
      throw scanner.fault("expected '=' after the key, found \(scanner.found)")
    }
    scanner.skipBlanks()
    let parent = try table.descend(path)
    let value = try value(depth: parent.depth + 1)
    try parent.add(path[path.count - 1], value)
  }

  /// Key parts with dots between, and the blanks around them.
  private mutating func keyPath() throws(Diagnostic) -> [TOMLKey] {
    var path = [try key()]
    scanner.skipBlanks()
    while scanner.skip(.dot) {
      scanner.skipBlanks()
      path.append(try key())
      scanner.skipBlanks()
    }
    return path
  }

  private mutating func key() throws(Diagnostic) -> TOMLKey {
    let position = scanner.position
    switch scanner.next {
    case UInt8.quote, UInt8.apostrophe:
      if scanner.startsWith("\"\"\"") || scanner.startsWith("'''") {
        throw scanner.fault("a key cannot be a string of several lines")
      }
      return TOMLKey(name: try string(), position: position)
    default:
      let name = scanner.take(while: \.isBare)
      guard !name.isEmpty else { throw scanner.fault("expected a key, found \(scanner.found)") }
      return TOMLKey(name: String(decoding: name, as: UTF8.self), position: position)
    }
  }
}
