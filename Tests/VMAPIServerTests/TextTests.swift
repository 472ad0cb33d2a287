import AgentHTTP
import Support
import Testing

@testable import VMAPIServer

@Suite("A run's output")
struct TextTests {
  @Test("is the same text, however it is cut", arguments: 0..<20)
  func cuts(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var bytes = Array("aé日本😀 plain \u{7F}\n".utf8)
    for _ in 0..<20 {
      bytes.insert(
        .random(in: 0...255, using: &random), at: .random(in: 0...bytes.count, using: &random))
    }
    var stream = TextStream()
    var text = ""
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = Int.random(in: 1...5, using: &random)
      text += stream.add(Array(rest.prefix(count)))
      rest = rest.dropFirst(count)
    }
    text += stream.finish()
    #expect(
      text.unicodeScalars.elementsEqual(String(decoding: bytes, as: UTF8.self).unicodeScalars))
  }

  @Test("tells what was used up in its last JSON line that says so")
  func usage() {
    var reader = UsageReader(["usage"])
    let text = "plain\n{\"usage\":{\"n\":1}}\n{broken\n{\"usage\":5}\n{\"usage\":{\"n\":2}}"
    for byte in text.utf8 { reader.add([byte]) }
    #expect(reader.usage == ["n": 1])
    reader.finish()
    #expect(reader.usage == ["n": 2])
    var long = UsageReader(["usage"])
    long.add(Array("{\"usage\":{},\"x\":\"".utf8))
    for _ in 0..<10 { long.add(Array(repeating: 120, count: 100_000)) }
    long.add(Array("\"}\n{\"usage\":{\"n\":3}}\n".utf8))
    #expect(long.usage == ["n": 3])
  }
}
