import Foundation
import Support
import Testing

@testable import Reading

/// How many faulty documents are tried: a million where minutes do not count.
private let rounds = isLong ? 1_000_000 : 20_000

private let seeds: [[UInt8]] = {
  let recipes = fixture("../../recipes")
  let names = ["minimal-debian-12.toml", "common/clis.toml", "common/base.toml"]
  let faulty = ["syntax", "types", "characters"].map { fixture("recipes/faulty/\($0).toml") }
  // A file that is not there fails the test below.
  let texts = (names.map { recipes.appending(path: $0) } + faulty).compactMap {
    try? Data(contentsOf: $0)
  }
  return texts.map { Array($0) } + [Array(#"a = { b = [1, 2.5e3, 1979-05-27T07:32:00Z] }"#.utf8)]
}()

/// Words that mean something to a parser, or to a careless one.
private let tokens: [[UInt8]] =
  [
    "[", "]", "[[", "]]", "{", "}", "=", ".", ",", "\"", "'", "\"\"\"", "'''", "\\", "\\u", "\n",
    "\r\n", "\r", "#", "0x", "0o", "-", "+", "e", "_", "inf", "nan", "true", "1979-05-27",
    "07:32:00",
    "99999999999999999999", "\u{0}", "\u{7F}", "é", "\u{FEFF}", "${", "$${", "a.b", " ", "\t",
  ].map { Array($0.utf8) } + [
    [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
  ]

/// A seed after a few random changes.
private func mutant(_ random: inout SplitMix64) -> [UInt8] {
  var bytes = seeds.randomElement(using: &random) ?? []
  // Most documents are short ones, so that there can be many.
  let length = Int.random(in: 1...300, using: &random)
  let start = Int.random(in: 0..<max(1, bytes.count - length), using: &random)
  bytes = Array(bytes[start...].prefix(length))
  for _ in 0..<Int.random(in: 1...6, using: &random) {
    let place = Int.random(in: 0...bytes.count, using: &random)
    let end = Int.random(in: place...min(bytes.count, place + 12), using: &random)
    switch Int.random(in: 0..<5, using: &random) {
    case 0: bytes.removeSubrange(place..<end)
    case 1: bytes.insert(contentsOf: tokens.randomElement(using: &random) ?? [], at: place)
    case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
    case 3: bytes.insert(contentsOf: bytes[place..<end], at: place)
    default: bytes.replaceSubrange(place..<end, with: tokens.randomElement(using: &random) ?? [])
    }
  }
  return bytes
}

@Suite("Random documents")
struct TOMLFuzzTests {
  @Test func neverCrashAndEveryFaultHasAPlaceInTheText() {
    #expect(seeds.count == 7)
    var random = SplitMix64(seed: 20_261_122)
    for round in 0..<rounds {
      let bytes = mutant(&random)
      let lines = bytes.count { $0 == .newline } + 1
      for fault in parseTOML(bytes, file: "f").faults {
        let place = fault.position
        if !(1...lines).contains(place.line) || !(1...bytes.count + 1).contains(place.column) {
          Issue.record("round \(round): \(fault) is not in the text")
        }
      }
    }
  }

  @Test(.enabled(if: hasTool("python3"), "needs python3 as the judge"))
  func areReadAsPythonReadsThem() throws {
    var random = SplitMix64(seed: 7)
    let documents = (0..<(isLong ? 50_000 : 2_000)).map { _ in mutant(&random) }
    let judged = try runTool("python3", ["-c", judge], input: Data(try json(documents)))
    #expect(judged.status == 0, "\(judged.errors)")
    let answers = try #require(
      try JSONSerialization.jsonObject(with: Data(judged.output.utf8)) as? [Any])
    #expect(answers.count == documents.count)
    for (bytes, answer) in zip(documents, answers) {
      let document = parseTOML(bytes, file: "f")
      let text = String(decoding: bytes, as: UTF8.self)
      if answer is NSNull {
        #expect(!document.faults.isEmpty, "python refuses: \(text.debugDescription)")
      } else {
        let mine = TaggedValue(TOMLValue(content: .table(document.table), position: nowhere))
        #expect(document.faults.isEmpty, "python accepts: \(text.debugDescription)")
        #expect(mine == TaggedValue(json: answer), "\(text.debugDescription)")
      }
    }
  }
}

private func json(_ documents: [[UInt8]]) throws -> Data {
  try JSONSerialization.data(withJSONObject: documents.map { Data($0).base64EncodedString() })
}

/// Answers each document with its values in the form of toml-test, or null when it is faulty.
private let judge = """
  import base64, datetime, json, sys, tomllib

  def tag(value):
      if isinstance(value, dict):
          return {key: tag(inner) for key, inner in value.items()}
      if isinstance(value, list):
          return [tag(inner) for inner in value]
      if isinstance(value, bool):
          return {"type": "bool", "value": str(value).lower()}
      if isinstance(value, int):
          if not -(2 ** 63) <= value < 2 ** 63:
              raise ValueError("TOML asks for 64 bits only")
          return {"type": "integer", "value": str(value)}
      if isinstance(value, float):
          return {"type": "float", "value": repr(value)}
      if isinstance(value, str):
          return {"type": "string", "value": value}
      kind = {datetime.date: "date-local", datetime.time: "time-local"}.get(type(value))
      if kind is None:
          kind = "datetime" if value.tzinfo else "datetime-local"
      return {"type": kind, "value": value.isoformat()}

  def answer(document):
      try:
          return tag(tomllib.loads(base64.b64decode(document).decode()))
      except (ValueError, RecursionError):
          return None

  json.dump([answer(document) for document in json.load(sys.stdin)], sys.stdout)
  """
