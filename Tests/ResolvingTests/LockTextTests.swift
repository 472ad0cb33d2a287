import Content
import Foundation
import Model
import Resolving
import Support
import Testing

@Suite("The text of a lock")
struct LockTextTests {
  private let hash = ContentHash(of: "x")

  private var lock: Lock {
    let blob = { (path: String) in Lock.Blob(path: path, size: 7, sha256: hash) }
    let package = { (name: String) in
      Lock.Package(
        name: name, version: "1:2-3~4", architecture: "amd64", repository: "jammy",
        deb: blob("pool/\(name).deb"), isEssential: name == "a1")
    }
    return Lock(
      recipe: hash, epoch: 1_767_225_600, environment: ["B": "\"q\" \\ \u{1}é", "A": ""],
      repositories: [
        Lock.Repository(
          id: "jammy", date: 1, validUntil: 2, inRelease: hash, signedBy: ["AB"],
          indices: [blob("dists/a"), blob("dists/b")], earlier: [blob("dists/c")])
      ],
      packages: [package("a1"), package("b1")],
      archives: [Lock.Archive(name: "node", file: blob("v20/node.tar.xz"))],
      wheels: [Lock.Wheel(name: "w", version: "1", file: blob("w-1.whl"))])
  }

  @Test("comes back as the same lock")
  func roundTrip() throws {
    #expect(try Lock(parsing: lock.text, file: "r.lock") == lock)
    let empty = Lock(recipe: hash, epoch: 0)
    #expect(try Lock(parsing: empty.text, file: "r.lock") == empty)
  }

  @Test("has a line for each package, and ends with a line feed")
  func lines() {
    let lines = lock.text.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.filter { $0.contains("\"deb\"") }.count == 2)
    #expect(lines.last == "")
  }

  @Test("is what the documentation shows")
  func documented() throws {
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("docs/lock.md")
    let text = try String(contentsOf: url, encoding: .utf8)
    let start = try #require(text.firstRange(of: "```json\n")).upperBound
    let end = try #require(text[start...].firstRange(of: "```")).lowerBound
    let example = String(text[start..<end])
    #expect(try Lock(parsing: example, file: "lock.md").text == example)
  }

  @Test(
    "is refused with its line when it is faulty",
    arguments: [
      ("\"schema\": 1", "\"schema\": 9", "this lock has schema 9, this program knows 1"),
      ("pool/b1.deb", "../b1.deb", "'../b1.deb' must be a relative path without '..'"),
      ("pool/b1.deb", "/b1.deb", "'/b1.deb' must be a relative path without '..'"),
      ("\"b1\"", "\"a0\"", "'a0 amd64' stands twice or out of order in 'packages'"),
      ("\"b1\"", "\"../b\"", "'../b' is not a package's name"),
      ("\"isEssential\": true", "\"isEssential\": 3", "'isEssential' must be true or false"),
      ("\"size\": 7", "\"size\": -7", "'size' must be a whole number"),
      ("\"repository\": \"jammy\"", "\"repository\": \"x\"", "'x' is not among the lock's"),
      ("\"epoch\"", "\"epic\"", "'epoch' must be a whole number"),
      ("  \"epoch\"", "<<<<<<< HEAD\n  \"epoch\"", "expected a key in quotes"),
      ("\"name\": \"node\"", "\"name\": \"node\", \"nick\": 1", "unknown key 'nick'"),
    ])
  func faulty(old: String, new: String, message: String) throws {
    let range = try #require(lock.text.firstRange(of: old))
    let text = lock.text.replacingCharacters(in: range, with: new)
    let failure = #expect(throws: ResolvingFailure.self) {
      try Lock(parsing: text, file: "r.lock")
    }
    guard case .faulty(let diagnostics) = failure else {
      Issue.record("unexpected: \(failure.debugDescription)")
      return
    }
    let fault = try #require(diagnostics.first { $0.message.contains(message) })
    #expect(fault.position.file == "r.lock")
    // The line is that of the fault: what replaced the good text stands on it.
    let line = text.split(separator: "\n", omittingEmptySubsequences: false)[
      fault.position.line - 1]
    #expect(new.contains("\"epic\"") || line.contains(new.split(separator: "\n")[0]))
  }

  @Test("never crashes the reader, whatever is in it", arguments: 0..<4)
  func random(seed: Int) throws {
    var generator = SplitMix64(seed: UInt64(seed))
    let good = Array(lock.text.utf8)
    for _ in 0..<500 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.removeSubrange(index..<min(bytes.count, index + 9))
        default: bytes.insert(contentsOf: bytes[..<min(index, 20)], at: index)
        }
      }
      do {
        let text = String(decoding: bytes, as: UTF8.self)
        let lock = try Lock(parsing: text, file: "r.lock")
        #expect(try Lock(parsing: lock.text, file: "r.lock") == lock)
      } catch ResolvingFailure.faulty(let diagnostics) {
        #expect(!diagnostics.isEmpty && diagnostics.allSatisfy { $0.position.line > 0 })
      }
    }
  }
}
