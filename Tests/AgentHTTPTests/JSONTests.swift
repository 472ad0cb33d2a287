import AgentHTTP
import Support
import Testing

@Suite("JSON")
struct JSONTests {
  @Test(
    "comes out as it went in, in one spelling",
    arguments: [
      ("{}", "{}"), (" [ 1 , -2.5e1 , true , null ] ", "[1,-25.0,true,null]"),
      (#"{"b":1,"a":{"c":[]}}"#, #"{"a":{"c":[]},"b":1}"#),
      (#""\u00e9\n\ud83d\ude00\/""#, "\"é\\n😀/\""), (#""\u0001""#, #""\u0001""#), ("0", "0"),
      ("9223372036854775807", "9223372036854775807"),
    ])
  func roundTrip(text: String, expected: String) throws {
    #expect(String(decoding: try JSON(parsing: text.utf8).bytes, as: UTF8.self) == expected)
  }

  @Test(
    "that is broken is refused, with the place",
    arguments: [
      ("", 0), ("[1,]", 3), ("{\"a\":1,\"a\":2}", 12), ("01", 2), ("1 2", 2), ("\"\u{1}\"", 2),
      (#""\ud800""#, 7), ("tru", 0), ("{a:1}", 1), ("\"x", 2), ("1e999", 5), ("[1", 2), ("nan", 0),
    ])
  func broken(text: String, offset: Int) throws {
    let fault = try #require(throws: JSONFault.self) { try JSON(parsing: text.utf8) }
    #expect(fault.offset == offset)
  }

  @Test("nested without end is refused")
  func deep() {
    #expect(throws: JSONFault.self) {
      try JSON(parsing: Array(repeating: UInt8(ascii: "["), count: 1 << 20))
    }
  }

  @Test("of any bytes is read or refused, and what is read comes back the same", arguments: 0..<40)
  func anyBytes(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let pieces = [
      "{", "}", "[", "]", ",", ":", "\"", "\\u00", "\\", "1", "-", "e9", "true", "\"a\"", "é", " ",
    ]
    for _ in 0..<200 {
      var text = ""
      for _ in 0..<Int.random(in: 1...12, using: &random) {
        text += pieces.randomElement(using: &random) ?? ""
      }
      guard let value = try? JSON(parsing: text.utf8) else { continue }
      #expect(try JSON(parsing: value.bytes) == value)
    }
  }
}
