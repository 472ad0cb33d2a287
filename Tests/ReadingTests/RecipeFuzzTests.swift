import Foundation
import Model
import Reading
import Support
import Testing

private let values = [
  "3", "-1", "1.5", "true", "[]", "{}", "[{}]", "[[\"a\"]]", "\"\"", "\"x\"", "\"/x\"", "\"../x\"",
  "\"${mirror}\"", "\"${a}\"", "\"$${\"", "\"\\u0000\"", "\"\\u001B[2J\"", "1979-05-27", "0o777",
  "9223372036854775807", "{ a = { b = [1, \"c\"] } }", "\"8GiB\"", "\"9999999999TiB\"", "'é'", "]",
]

/// A recipe in which some lines are gone, twice there, elsewhere, or have another value.
private func mutant(of lines: [Substring], _ random: inout SplitMix64) -> String {
  var lines = lines
  for _ in 0..<Int.random(in: 1...8, using: &random) where lines.count > 1 {
    let place = Int.random(in: 0..<lines.count, using: &random)
    switch Int.random(in: 0..<5, using: &random) {
    case 0: lines.remove(at: place)
    case 1: lines.insert(lines[place], at: Int.random(in: 0...lines.count, using: &random))
    case 2: lines.swapAt(place, Int.random(in: 0..<lines.count, using: &random))
    default:
      let key = lines[place].prefix { $0 != "=" }
      lines[place] = key + "= " + (values.randomElement(using: &random) ?? "")
    }
  }
  return lines.joined(separator: "\n")
}

@Suite("Random recipes")
struct RecipeFuzzTests {
  @Test func neverCrashAndEveryFaultHasAPlaceInTheText() throws {
    let page = try String(contentsOf: fixture("../../recipes/README.md"), encoding: .utf8)
    let blocks = page.split(separator: "```toml\n").dropFirst().map { $0.prefix { $0 != "`" } }
    let lines = blocks.joined().split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count > 90)
    let folder = try TemporaryFolder()
    var random = SplitMix64(seed: 2)
    for round in 0..<(isLong ? 4_000 : 300) {
      let text = mutant(of: lines, &random)
      let file = try folder.write("r.toml", text)
      let count = text.utf8.count { $0 == UInt8(ascii: "\n") } + 1
      do throws(FaultyRecipe) {
        _ = try readRecipe(at: file.string, environment: ["HOME": "/"])
      } catch {
        let isRight = error.diagnostics.allSatisfy {
          (1...count).contains($0.position.line) && $0.position.column > 0
            && !$0.description.utf8.contains { $0 < 0x20 }
        }
        #expect(isRight && !error.diagnostics.isEmpty, "round \(round): \(error)")
      }
    }
  }
}
