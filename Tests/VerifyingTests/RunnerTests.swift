import Model
import Testing
import Verifying

@Suite("The runner of checks")
struct RunnerTests {
  struct Fixed: Check {
    var name = "fixed"
    var found: [Finding] = []
    var reason: String?
    func findings(in subject: Subject) throws -> [Finding] {
      if let reason { throw NotJudged(reason) }
      return found
    }
  }

  struct Nothing: ContentSource {
    func bytes(of node: Int, limit: Int) -> [UInt8] { [] }
  }

  let subject = Subject(
    disk: "/nowhere",
    files: FileTable(
      Tree(entries: [.init(path: [], node: 0)], nodes: [.init(kind: .directory, mode: 0o755)])),
    content: Nothing())

  @Test("gives each check's outcome by its worst finding")
  func outcomes() throws {
    let warning = Finding(.warning, check: "fixed", place: "/a", "is odd")
    let error = Finding(check: "fixed", place: "/b", "is wrong", hint: "repair it")
    let results = try run(
      [
        Fixed(), Fixed(found: [warning]), Fixed(found: [warning, error]),
        Fixed(reason: "there is no tool"), Fixed(name: "unwanted", found: [error]),
      ], on: subject, skipping: ["unwanted"])
    #expect(results.map(\.outcome) == [.passed, .warned, .failed, .skipped, .skipped])
    #expect(results[3].remark == "there is no tool")
    #expect("\(error)" == "error: fixed: /b: is wrong; repair it")
    #expect(Report(results).hasFailed)
  }

  @Test("leaves out what the recipe answers for")
  func allowances() throws {
    var subject = subject
    let place = SourcePosition(file: "r.toml", line: 1, column: 1)
    subject.allowed = [
      Recipe.Allowance(check: "fixed", path: "/opt/", reason: "ours", position: place),
      Recipe.Allowance(check: "fixed", path: "/etc/*.key", reason: "a fixture", position: place),
    ]
    let found = ["/opt/a", "/etc/x.key", "/etc/x.pem"].map {
      Finding(check: "fixed", place: $0, "is wrong")
    }
    let result = try run([Fixed(found: found)], on: subject)[0]
    #expect(result.findings.map(\.place) == ["/etc/x.pem"])
    #expect(result.outcome == .failed)
  }
}
