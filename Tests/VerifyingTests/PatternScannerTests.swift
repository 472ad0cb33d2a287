import Support
import Testing

@testable import Verifying

@Suite("The search for many texts at once")
struct PatternScannerTests {
  /// As simple as can be: every pattern at every place.
  private func expected(_ patterns: [[UInt8]], _ bytes: [UInt8]) -> Set<[Int]> {
    var found: Set<[Int]> = []
    for (index, pattern) in patterns.enumerated() where pattern.count <= bytes.count {
      for start in 0...bytes.count - pattern.count
      where bytes[start..<start + pattern.count].elementsEqual(pattern) {
        found.insert([index, start])
      }
    }
    return found
  }

  @Test("finds what a plain search finds, each place once", arguments: UInt64(0)..<200)
  func sameAsPlain(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    // Three letters only, so that there are many matches and near misses.
    func text(_ count: Int) -> [UInt8] {
      (0..<count).map { _ in UInt8.random(in: 97...99, using: &random) }
    }
    let patterns = Array(
      Set(
        (0..<Int.random(in: 1...6, using: &random)).map { _ in
          text(Int.random(in: 4...7, using: &random))
        }))
    let bytes = text(Int.random(in: 0...600, using: &random))
    var found: [[Int]] = []
    bytes.withUnsafeBytes { PatternScanner(patterns).scan($0) { found.append([$0, $1]) } }
    #expect(Set(found) == expected(patterns, bytes))
    #expect(Set(found).count == found.count)
  }
}
