import Foundation
import Support
import Testing

@testable import Reading

/// The public suite toml-test, which `scripts/toml-suite` fetches; it is too large to be kept here.
private let suite = ProcessInfo.processInfo.environment["TOML_SUITE"]

@Suite(
  "The public TOML 1.0 suite",
  .enabled(
    if: suite != nil, "needs TOML_SUITE, the folder of toml-test's cases: scripts/toml-suite"))
struct TOMLSuiteTests {
  @Test func validDocumentsGiveTheSuitesValues() throws {
    let cases = try cases(of: "valid/")
    #expect(cases.count > 150)
    for name in cases {
      let document = parseTOML(try bytes(of: name), file: name)
      #expect(document.faults.isEmpty, "\(name): \(document.faults)")
      let answer = String(name.dropLast("toml".count)) + "json"
      let expected = try JSONSerialization.jsonObject(with: Data(try bytes(of: answer)))
      let actual = TOMLValue(content: .table(document.table), position: nowhere)
      #expect(TaggedValue(actual) == TaggedValue(json: expected), "\(name)")
    }
  }

  @Test func invalidDocumentsAreRefusedWithAPlace() throws {
    let cases = try cases(of: "invalid/")
    #expect(cases.count > 300)
    for name in cases {
      let document = parseTOML(try bytes(of: name), file: name)
      #expect(!document.faults.isEmpty, "\(name) passed")
      #expect(document.faults.allSatisfy { $0.position.line > 0 && $0.position.column > 0 })
    }
  }

  private func cases(of kind: String) throws -> [String] {
    String(decoding: try bytes(of: "files-toml-1.0.0"), as: UTF8.self).split(separator: "\n")
      .map(String.init).filter { $0.hasPrefix(kind) && $0.hasSuffix(".toml") }
  }

  private func bytes(of name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: try #require(suite)).appending(path: name)))
  }
}
