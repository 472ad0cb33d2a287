import Model
import Testing

@testable import Reading

/// Parses text that must be right, and gives the value under a dotted path of plain keys.
private func value(_ text: String, _ path: String) throws -> TOMLValue {
  let document = parseTOML(Array(text.utf8), file: "t.toml")
  #expect(document.faults.isEmpty, "\(document.faults)")
  var value = TOMLValue(content: .table(document.table), position: nowhere)
  for key in path.split(separator: ".") {
    guard case .table(let table) = value.content else { break }
    value = try #require(table[String(key)]).value
  }
  return value
}

private func faults(_ text: String) -> String {
  parseTOML(Array(text.utf8), file: "t.toml").faults.map(\.description).joined(separator: "\n")
}

@Suite("TOML documents")
struct TOMLTests {
  @Test func everyKeyAndValueKnowsItsPlace() throws {
    let text = "# é\n[a]\n  \"ä\" . b = [1,\n 'two', { c = true }]\n[[d]]\n[[d]]\ne=1\n"
    let document = parseTOML(Array(text.utf8), file: "t.toml")
    let a = try #require(document.table["a"])
    #expect(a.position.description == "t.toml:2:2")
    guard case .table(let inner) = a.value.content, let umlaut = inner["ä"],
      case .table(let innermost) = umlaut.value.content, let b = innermost["b"],
      case .array(let values) = b.value.content, case .table(let braces) = values[2].content
    else {
      Issue.record("the document has another shape")
      return
    }
    #expect(umlaut.position.description == "t.toml:3:3")
    #expect(b.position.description == "t.toml:3:9")
    #expect(b.value.position.description == "t.toml:3:13")
    #expect(values.map(\.position.description) == ["t.toml:3:14", "t.toml:4:2", "t.toml:4:9"])
    #expect(braces["c"]?.position.description == "t.toml:4:11")
    #expect(braces["c"]?.value.position.description == "t.toml:4:15")
    guard case .array(let tables) = try #require(document.table["d"]).value.content else { return }
    #expect(tables.map(\.position.description) == ["t.toml:5:3", "t.toml:6:3"])
  }

  @Test func columnsCountCharactersNotBytes() {
    #expect(faults("ключ") == "t.toml:1:1: error: expected a key, found 'к'")
    #expect(
      faults("a = \"日本語😀\" x") == "t.toml:1:12: error: expected the end of the line, found 'x'")
    #expect(faults("\u{FEFF}= 1") == "t.toml:1:1: error: expected a key, found '='")
  }

  @Test func windowsLinesCountOnce() throws {
    #expect(
      try value("a = 1\r\nb = '''\r\nx\r\n'''\r\nc = 2\r\n", "c").position.description
        == "t.toml:5:5")
    guard case .string(let text) = try value("b = '''\r\nx\r\ny'''\r\n", "b").content else {
      return
    }
    #expect(text == "x\ny")
  }

  @Test func keysThatOnlyLookEqualAreDifferent() {
    #expect(faults("\"\u{E9}\" = 1\n\"e\u{301}\" = 2") == "")
  }

  @Test func aByteOrderMarkInTheMiddleIsNoKey() {
    #expect(faults("a = 1\n\u{FEFF}b = 1").hasPrefix("t.toml:2:1: error: expected a key"))
  }

  @Test func faultsThatDoNotDependOnEachOtherAreAllFound() {
    #expect(
      faults("a = \nb = [1,\n  2\nc = 3\nd = '''\nx\n[e]\nf = 01\ne = 2\n") == """
        t.toml:1:5: error: expected a value, found the end of the line
        t.toml:4:1: error: expected ',' or ']' in the array that begins in line 2, found 'c'
        t.toml:5:5: error: the string of several lines is not closed
        t.toml:8:5: error: the integer '01' begins with a zero; octal is written '0o…'
        """)
  }

  @Test func keysBelowAFaultyHeaderBelongToNothing() {
    #expect(
      faults("a = 1\n[b\na = 2\na = 3\n[c]\na = 4") == """
        t.toml:2:3: error: expected '.' or ']' after the table's name, found the end of the line
        t.toml:4:1: error: key 'a' is defined already; the first stands in line 3
        """)
  }

  @Test(
    "tables are defined once",
    arguments: [
      "a.b = 1\n[a]", "[a]\nb.c = 1\n[a.b]", "[a.b]\n[a]\nb.c = 1\n[a.b]", "a = {}\n[a.b]",
      "a = [{}]\n[[a]]", "[[a]]\n[a]", "[a]\n[[a]]", "a = {b.c = 1, b = 2}",
      "a = {b = {}, b.c = 1}",
      "[a.b]\nc = 1\n[a]\nb.d = 1", "a = 1\na.b = 2", "[a]\n[a]", "a = {}\na.b = 1",
    ])
  func redefinition(text: String) {
    #expect(faults(text).contains("is defined already; the first stands in line"))
  }

  @Test(
    "tables may be spread as TOML allows",
    arguments: [
      "[a.b]\n[a]\nc = 1", "a.b = 1\na.c = 2", "[a]\nb.c = 1\n[a.d]\n[a.b.e]",
      "[[a]]\n[a.b]\n[[a]]\n[a.b]", "a = [1, 2,\n # x\n]", "a = { b.c = 1, b.d = 2 }",
    ])
  func spread(text: String) {
    #expect(faults(text) == "")
  }

  @Test func deepNestingIsAFaultNotACrash() {
    let deep = String(repeating: "[", count: 100_000)
    #expect(faults("a = " + deep) == "t.toml:1:69: error: values nest deeper than 64 levels")
    let braces = String(repeating: "{ a = ", count: 100_000)
    #expect(faults("a = " + braces).contains("values nest deeper than 64 levels"))
    let dots = String(repeating: "a.", count: 100_000)
    #expect(faults(dots + "a = 1").contains("values nest deeper than 64 levels"))
    #expect(faults("[" + dots + "a]").contains("values nest deeper than 64 levels"))
  }

  @Test func integersKeepTheirRadix() throws {
    for (text, number, radix) in [
      ("0o644", 420, 8), ("0x1F", 31, 16), ("0b11", 3, 2), ("-9_000", -9000, 10),
      ("9223372036854775807", Int.max, 10), ("-9223372036854775808", Int.min, 10),
    ] {
      guard case .integer(let found, let base) = try value("a = \(text)", "a").content else {
        Issue.record("'\(text)' is no integer")
        continue
      }
      #expect(found == number && base == radix)
    }
  }
}
