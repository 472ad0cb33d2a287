/// The options of a command line, each a word and a value.
public struct Options: Sendable {
  private var values: [String: String] = [:]

  /// - Throws: `FaultyOptions` for a word that is not `known` or has no value.
  public init(_ arguments: [String], known: Set<String>) throws(FaultyOptions) {
    var rest = arguments[...]
    while let word = rest.popFirst() {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(parts[0])
      guard known.contains(name) else { throw FaultyOptions("unknown option '\(word)'") }
      if parts.count == 2 {
        values[name] = String(parts[1])
      } else if let value = rest.popFirst() {
        values[name] = value
      } else {
        throw FaultyOptions("option '\(name)' needs a value")
      }
    }
  }

  public subscript(_ name: String) -> String? { values[name] }

  /// Splits `host:port`; an IPv6 host stands in brackets.
  public static func address(_ text: String) throws(FaultyOptions) -> (String, Int) {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (0...65535).contains(port), colon != text.startIndex
    else { throw FaultyOptions("'\(text)' is no HOST:PORT") }
    let host = text[..<colon]
    return (String(host.hasPrefix("[") ? host.dropFirst().dropLast() : host), port)
  }

  /// A whole number above zero, or `standard` when the option is absent.
  public func count(_ name: String, else standard: Int) throws(FaultyOptions) -> Int {
    guard let text = values[name] else { return standard }
    guard let number = Int(text), number > 0 else {
      throw FaultyOptions("option '\(name)' needs a whole number above zero, not '\(text)'")
    }
    return number
  }
}

/// What is wrong with a command line.
public struct FaultyOptions: Error, Sendable, Hashable, CustomStringConvertible {
  public var description: String

  public init(_ description: String) { self.description = description }
}
