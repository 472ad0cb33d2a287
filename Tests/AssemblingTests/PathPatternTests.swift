import Testing

@testable import Assembling

@Suite("Patterns on paths")
struct PathPatternTests {
  @Test(
    "match as shells do",
    arguments: [
      ("bin/**", "bin/node", true), ("bin/**", "bin/a/b", true), ("bin/**", "lib/node", false),
      ("**/*.so", "a/b/c.so", true), ("**/*.so", "c.so", true), ("*.so", "a/c.so", false),
      ("a/**/b", "a/b", true), ("a/**/b", "a/x/y/b", true), ("a/?", "a/b", true),
      ("a/?", "a/bb", false), ("[a-c]x", "bx", true), ("[!a-c]x", "bx", false),
      ("[]x", "[]x", true), ("a[", "a[", true), ("**", "a/b", true), ("*", "a", true),
      ("a*b*c", "axxbyyc", true), ("a*b*c", "axxbyy", false),
    ])
  func match(pattern: String, path: String, expected: Bool) {
    let names = path.split(separator: "/").map { Array($0.utf8) }
    #expect(PathPattern(pattern).matches(names) == expected)
  }

  @Test func coverWhatIsBelow() {
    let names = ["lib", "debug", "x"].map { Array($0.utf8) }
    #expect(PathPattern("lib").covers(names))
    #expect(PathPattern("lib/d*").covers(names))
    #expect(!PathPattern("debug").covers(names))
  }
}
