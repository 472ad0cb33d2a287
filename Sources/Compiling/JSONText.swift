/// Any JSON value, as text that does not depend on the order of members.
struct JSONText: Decodable {
  var text: String

  init(from decoder: any Decoder) throws {
    if let members = try? decoder.container(keyedBy: Name.self) {
      let lines = try members.allKeys.sorted { $0.stringValue < $1.stringValue }.map { key in
        "\(key.stringValue.debugDescription):\(try members.decode(JSONText.self, forKey: key).text)"
      }
      text = "{\(lines.joined(separator: ","))}"
    } else if var elements = try? decoder.unkeyedContainer() {
      var texts: [String] = []
      while !elements.isAtEnd { texts.append(try elements.decode(JSONText.self).text) }
      text = "[\(texts.joined(separator: ","))]"
    } else {
      // Each attempt fails for a value of another kind, which the next one takes.
      let value = try decoder.singleValueContainer()
      if value.decodeNil() {
        text = "null"
      } else if let flag = try? value.decode(Bool.self) {
        text = "\(flag)"
      } else if let string = try? value.decode(String.self) {
        text = string.debugDescription
      } else {
        text = "\(try value.decode(Double.self))"
      }
    }
  }

  private struct Name: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }
}
