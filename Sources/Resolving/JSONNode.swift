/// A value of a JSON text and the line on which it begins.
///
/// Own code, because a lock is edited and merged by people and its faults need a place. Source: RFC
/// 8259; numbers must be whole, as all of ours are.
struct JSONNode: Sendable, Equatable {
  enum Value: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int)
    /// A number that is not a whole one of 64 bits, as written.
    case number(String)
    case string(String)
    case array([JSONNode])
    case object([String: JSONNode])
  }

  var value: Value
  /// From 1.
  var line: Int

  /// Reads a whole text.
  static func parse(_ text: String) throws(JSONFault) -> JSONNode {
    var parser = JSONParser(bytes: Array(text.utf8))
    let node = try parser.value(depth: 0)
    parser.skipSpace()
    guard parser.isAtEnd else { throw parser.fault("expected the end of the text") }
    return node
  }

  subscript(_ key: String) -> JSONNode? {
    if case .object(let members) = value { members[key] } else { nil }
  }

  var string: String? { if case .string(let text) = value { text } else { nil } }
  var integer: Int? { if case .integer(let number) = value { number } else { nil } }
  var array: [JSONNode]? { if case .array(let elements) = value { elements } else { nil } }
}

/// Where a text is not JSON.
struct JSONFault: Error, Sendable, Equatable {
  var line: Int
  var column: Int
  var message: String
}

private struct JSONParser {
  let bytes: [UInt8]
  private var position = 0
  private var line = 1
  private var lineStart = 0

  private static let deepest = 64

  init(bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }

  func fault(_ message: String) -> JSONFault {
    JSONFault(line: line, column: position - lineStart + 1, message: message)
  }

  mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 32, 9, 13: position += 1
      case 10:
        position += 1
        line += 1
        lineStart = position
      default: return
      }
    }
  }

  mutating func value(depth: Int) throws(JSONFault) -> JSONNode {
    guard depth < Self.deepest else { throw fault("nested too deeply") }
    skipSpace()
    let start = line
    guard let first = peek else { throw fault("the text ends too early") }
    let value: JSONNode.Value
    switch first {
    case UInt8(ascii: "{"): value = .object(try members(depth: depth))
    case UInt8(ascii: "["): value = .array(try elements(depth: depth))
    case UInt8(ascii: "\""): value = .string(try string())
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): value = number()
    default: value = try word()
    }
    return JSONNode(value: value, line: start)
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take(_ byte: Character) -> Bool {
    skipSpace()
    guard peek == byte.asciiValue else { return false }
    position += 1
    return true
  }

  private mutating func members(depth: Int) throws(JSONFault) -> [String: JSONNode] {
    position += 1
    var members: [String: JSONNode] = [:]
    if take("}") { return members }
    repeat {
      skipSpace()
      guard peek == UInt8(ascii: "\"") else { throw fault("expected a key in quotes") }
      let key = try string()
      guard members[key] == nil else { throw fault("the key '\(key)' stands here twice") }
      guard take(":") else { throw fault("expected ':' after the key '\(key)'") }
      members[key] = try value(depth: depth + 1)
    } while take(",")
    guard take("}") else { throw fault("expected ',' or '}'") }
    return members
  }

  private mutating func elements(depth: Int) throws(JSONFault) -> [JSONNode] {
    position += 1
    var elements: [JSONNode] = []
    if take("]") { return elements }
    repeat { elements.append(try value(depth: depth + 1)) } while take(",")
    guard take("]") else { throw fault("expected ',' or ']'") }
    return elements
  }

  private mutating func word() throws(JSONFault) -> JSONNode.Value {
    for (word, value) in [
      ("null", JSONNode.Value.null), ("true", .bool(true)), ("false", .bool(false)),
    ] where bytes[position...].starts(with: word.utf8) {
      position += word.utf8.count
      return value
    }
    throw fault("expected a value")
  }

  private mutating func number() -> JSONNode.Value {
    let start = position
    while let byte = peek, "+-.0123456789eE".utf8.contains(byte) { position += 1 }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    return Int(text).map { .integer($0) } ?? .number(text)
  }

  private mutating func string() throws(JSONFault) -> String {
    position += 1
    var text: [UInt8] = []
    while let byte = peek {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else {
          throw fault("the text is not UTF-8")
        }
        return string
      case UInt8(ascii: "\\"): text += try escape()
      case 0..<32: throw fault("a control character stands in a text")
      default: text.append(byte)
      }
    }
    throw fault("a text does not end")
  }

  private mutating func escape() throws(JSONFault) -> [UInt8] {
    guard let byte = peek else { throw fault("a text does not end") }
    position += 1
    switch byte {
    case UInt8(ascii: "n"): return [10]
    case UInt8(ascii: "t"): return [9]
    case UInt8(ascii: "r"): return [13]
    case UInt8(ascii: "b"): return [8]
    case UInt8(ascii: "f"): return [12]
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "u"):
      let first = try codeUnit()
      guard UTF16.isLeadSurrogate(first) else { return try utf8([first]) }
      guard bytes[position...].starts(with: "\\u".utf8) else { throw fault("half a character") }
      position += 2
      return try utf8([first, try codeUnit()])
    default: throw fault("an escape that JSON does not have")
    }
  }

  private mutating func codeUnit() throws(JSONFault) -> UInt16 {
    guard position + 4 <= bytes.count,
      let unit = UInt16(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
    else { throw fault("expected four hexadecimal digits") }
    position += 4
    return unit
  }

  private func utf8(_ units: [UInt16]) throws(JSONFault) -> [UInt8] {
    guard let string = String(validating: units, as: UTF16.self) else {
      throw fault("half a character")
    }
    return Array(string.utf8)
  }
}
