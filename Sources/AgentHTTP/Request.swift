/// A complete request.
public struct Request: Sendable {
  public var method: String
  /// The path's parts, percent-decoded: `/v1/sessions/a` is `["v1", "sessions", "a"]`.
  public var path: [String]
  /// The last value of each parameter.
  public var query: [String: String]
  /// The Accept header, if any.
  public var accept: String
  public var body: [UInt8]
  /// Whether it bears the token; false only where none is needed.
  public var isTrusted: Bool

  /// Splits a request's target; nil when it is no plain path.
  init?(method: String, target: String, accept: String) {
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    guard let path = parts.first, path.hasPrefix("/") else { return nil }
    var decoded: [String] = []
    for part in path.split(separator: "/") {
      guard let name = percentDecoded(part) else { return nil }
      decoded.append(name)
    }
    var query: [String: String] = [:]
    for pair in parts.dropFirst().first?.split(separator: "&") ?? [] {
      let words = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = words.first.flatMap({ percentDecoded($0) }),
        let value = percentDecoded(words.count > 1 ? words[1] : "")
      else { return nil }
      query[name] = value
    }
    self.method = method
    self.path = decoded
    self.query = query
    self.accept = accept
    body = []
    isTrusted = false
  }

  /// The body as a JSON object; an empty body counts as an empty object.
  public func object() throws(Refusal) -> [String: JSON] {
    if body.isEmpty { return [:] }
    let value: JSON
    do {
      value = try JSON(parsing: body)
    } catch {
      throw Refusal(400, "invalid_json", error.description)
    }
    guard let members = value.object else {
      throw Refusal(400, "invalid_json", "the body must be a JSON object")
    }
    return members
  }
}

/// Text with its percent escapes resolved; nil when they are broken or the result is not UTF-8.
private func percentDecoded(_ text: Substring) -> String? {
  var bytes: [UInt8] = []
  var rest = Array(text.utf8)[...]
  while let byte = rest.popFirst() {
    guard byte == UInt8(ascii: "%") else {
      bytes.append(byte)
      continue
    }
    guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16),
      rest.count >= 2
    else { return nil }
    bytes.append(value)
    rest = rest.dropFirst(2)
  }
  return String(validating: bytes, as: UTF8.self)
}

/// Why a request is not answered as it wished: an HTTP status, a word for programs, a sentence for people.
public struct Refusal: Error, Sendable, Hashable {
  public var status: Int
  public var code: String
  public var message: String

  public init(_ status: Int, _ code: String, _ message: String) {
    self.status = status
    self.code = code
    self.message = message
  }

  public var json: JSON { ["error": ["code": .string(code), "message": .string(message)]] }
}
