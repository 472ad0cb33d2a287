import Foundation
import Support
import Testing

@testable import Resolving

/// npm's own idea of versions, which comes with it.
private let semver = "/usr/lib/node_modules/npm/node_modules/semver"
private let hasSemver =
  hasTool("node") && FileManager.default.fileExists(atPath: semver)

@Suite("Versions and ranges of npm")
struct NPMVersionTests {
  @Test("are ordered and matched as npm's own code does it", .enabled(if: hasSemver, "needs npm"))
  func judge() throws {
    let numbers = [
      "0.0.0", "0.0.3", "0.1.0", "0.2.3", "1.0.0", "1.2.3", "1.2.4", "1.3.0", "2.0.0", "20.18.0",
      "22.0.0",
    ]
    let versions =
      numbers + [
        "1.2.3-alpha.1", "1.2.3-alpha.10", "1.2.3-beta", "2.0.0-rc.1", "0.163.0-linux-x64",
      ]
    let bare = [
      "*", "", "x", "1", "1.x", "1.2", "1.2.x", "1.2.3", "0", "0.2", "0.0.3", "1.2.3-alpha.2", "20",
      "22.0.0",
    ]
    var ranges = bare.flatMap { text in
      ["", "^", "~", ">=", "<=", ">", "<", "=", ">= "].map { $0 + text }
    }
    ranges += [
      ">=18 <23", "^1.2 || >=20", "1.2 - 2", "1.2.3 - 2.0.0", "^18.20.0 || >= 20.10.0",
      ">=1.2.3-alpha <2",
      "v1.2.3", "1 || 2 || 3", "~> 1.2",
    ]
    var random = SplitMix64(seed: 7)
    for _ in 0..<100 {
      let parts = (0..<Int(random.next() % 3) + 1).map { _ in
        ranges[Int(random.next() % UInt64(ranges.count))]
      }
      ranges.append(parts.joined(separator: random.next() % 2 == 0 ? " " : " || "))
    }
    ranges = Array(Set(ranges)).sorted()
    let input = try JSONEncoder().encode([ranges, versions])
    let script = """
      const s = require('\(semver)');
      const [r, v] = JSON.parse(require('fs').readFileSync(0));
      for (const x of r) console.log(x + '\\t' + v.filter(y => s.satisfies(y, x)).join(' '));
      console.log(s.sort(v).join(' '));
      """
    let expected = try runTool("node", ["-e", script], input: input).succeeded().output
    var lines = ranges.map { range in
      let parsed = NPMRange(range)
      return range + "\t"
        + versions.filter { version in
          NPMVersion(version).map { parsed?.contains($0) ?? false } ?? false
        }.joined(separator: " ")
    }
    lines.append(
      versions.compactMap { NPMVersion($0) }.sorted().map(\.description).joined(separator: " "))
    let found = expected.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    #expect(found.count == lines.count)
    for (line, judge) in zip(lines, found) where line != judge {
      Issue.record("'\(line)', npm: '\(judge)'")
    }
  }

  @Test(
    "what is no version is refused",
    arguments: ["", "1", "1.2", "a.b.c", "1.2.3-", "-1.2.3", "1.2.3.4"])
  func refused(text: String) { #expect(NPMVersion(text) == nil) }

  @Test("a package that is missing is judged by its name")
  func foreign() {
    let target = NPMTarget(architecture: "amd64")
    #expect(!target.isForeign("@openai/codex-linux-x64", "npm:@openai/codex@1.0.0-linux-x64"))
    #expect(target.isForeign("@openai/codex-linux-arm64", "npm:@openai/codex@1.0.0-linux-arm64"))
    #expect(target.isForeign("a-linux-x64-musl", "1.0.0"))
    #expect(target.isForeign("fsevents-darwin", "1.0.0"))
    #expect(!target.isForeign("keytar", "^7.9.0"))
  }
}
