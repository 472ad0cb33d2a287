import Model
import Testing

@Suite("A content hash")
struct ContentHashTests {
  @Test func readsWhatItWrites() throws {
    let text = String(repeating: "0123456789abcdef", count: 4)
    #expect(try #require(ContentHash(hex: text)).description == text)
    #expect(ContentHash(hex: text.uppercased())?.hex == text)
  }

  @Test(arguments: [
    "", "abc", String(repeating: "g", count: 64), String(repeating: "0", count: 63),
  ])
  func refusesOtherText(text: String) {
    #expect(ContentHash(hex: text) == nil)
  }
}
