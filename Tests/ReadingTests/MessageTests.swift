import Foundation
import Model
import Reading
import Support
import Testing

/// The messages for a recipe and those that it extends; empty when all is right.
private func messages(
  _ files: [String: String], variables: [String: String] = [:],
  environment: [String: String] = [:]
) throws -> String {
  let folder = try TemporaryFolder()
  for (name, text) in files { try folder.write(name, text) }
  do {
    _ = try readRecipe(
      at: (folder / "r.toml").string, variables: variables, environment: environment)
    return ""
  } catch {
    return error.description.replacing(folder.path.string + "/", with: "")
  }
}

/// A recipe without faults, to which tests add some.
private let right = """
  schema = 1
  image.name = "right"
  base = { distribution = "debian", suite = "bookworm" }

  """

private let faulty = fixture("recipes/faulty")

@Suite("Messages for faulty recipes")
struct MessageTests {
  /// Each recipe of the folder has one topic; its messages, all of them, are in a golden file.
  @Test(arguments: try FileManager.default.contentsOfDirectory(atPath: faulty.path).sorted())
  func nameThePlaceAndTheFault(name: String) throws {
    let error = #expect(throws: FaultyRecipe.self) {
      try readRecipe(at: faulty.appending(path: name).path)
    }
    let text = (error?.description ?? "").replacing(
      faulty.deletingLastPathComponent().path + "/", with: "")
    try expectGolden(text + "\n", "faulty/\(name.replacing(".toml", with: ".txt"))")
  }

  @Test func tenFaultsAreReportedAtOnce() {
    let error = #expect(throws: FaultyRecipe.self) {
      try readRecipe(at: faulty.appending(path: "ten-faults.toml").path)
    }
    #expect(error?.diagnostics.count == 10)
  }

  @Test func aRecipeThatIsNotThereIsNamed() throws {
    #expect(
      try messages([:])
        == "r.toml:1:1: error: cannot read the recipe: No such file or directory")
  }

  @Test func aFolderIsNoRecipe() throws {
    #expect(
      try messages(["r.toml/a": ""]) == "r.toml:1:1: error: cannot read the recipe: Is a directory")
  }

  @Test func anExtendedFileThatIsNotThereIsNamedWhereItIsExtended() throws {
    #expect(
      try messages(["r.toml": "extends = [\"no/such.toml\"]\n" + right])
        == "r.toml:1:12: error: cannot read 'no/such.toml': No such file or directory")
  }

  @Test func whatExtendsHoldsIsChecked() throws {
    #expect(
      try messages(["r.toml": "extends = [3, \"${base}.toml\"]\n" + right]) == """
        r.toml:1:12: error: 'extends' must hold strings, not integer
        r.toml:1:15: error: 'extends' cannot use variables
        """)
    #expect(
      try messages(["r.toml": "extends = \"a.toml\"\n" + right])
        == "r.toml:1:11: error: 'extends' must be an array, not string")
  }

  @Test func aCircleOfFilesIsShownWhole() throws {
    #expect(
      try messages([
        "r.toml": "extends = [\"common/a.toml\"]\n" + right,
        "common/a.toml": "extends = [\"../b.toml\"]", "b.toml": "extends = [\"common/a.toml\"]",
      ])
        == "b.toml:1:12: error: 'extends' goes in a circle: "
        + "common/a.toml → b.toml → common/a.toml")
  }

  @Test func faultsKeepTheirOwnFileAndComeInTheOrderOfReading() throws {
    #expect(
      try messages([
        "r.toml": "extends = [\"a.toml\", \"b.toml\"]\n" + right + "x = 1",
        "a.toml": "schema = 2\n[imag]", "b.toml": "[[unit]]\nname = 1\nenable = true",
      ]) == """
        r.toml:5:1: error: unknown key 'x'
        a.toml:1:10: error: 'schema' must be 1: this program knows no other
        a.toml:2:2: error: unknown table 'imag'; did you mean 'image'?
        b.toml:2:8: error: 'name' must be a string, not integer
        """)
  }

  @Test func duplicatesAreFoundAcrossFiles() throws {
    let user = "[[user]]\nname = \"agent\"\nuid = 1000\n"
    #expect(
      try messages(["r.toml": "extends = [\"a.toml\"]\n" + right + user, "a.toml": user]) == """
        r.toml:6:8: error: user 'agent' is named twice; the first stands at a.toml:2:8
        r.toml:7:7: error: uid '1000' is named twice; the first stands at a.toml:3:7
        """)
  }

  @Test func valuesFromTheCommandLineMustBeDeclared() throws {
    #expect(
      try messages(
        ["r.toml": right + "[vars]\nmirror = \"host\""], variables: ["miror": "x"])
        == "r.toml:4:2: error: '--set' names 'miror', which [vars] does not declare; "
        + "did you mean 'mirror'?")
    #expect(
      try messages(["r.toml": right + "vars = 3"])
        == "r.toml:4:1: error: 'vars' must be a table, not integer")
  }

  @Test func variablesThatGrowWithoutBoundsAreStopped() throws {
    let bombs = (1...40).map { "v\($0) = \"${v\($0 - 1)}${v\($0 - 1)}\"" }
    let text = try messages([
      "r.toml": right + "image.label = \"${v40}\"\n[vars]\nv0 = \"0123456789\"\n"
        + bombs.joined(separator: "\n")
    ])
    #expect(text == "r.toml:23:7: error: variable 'v17' grows beyond 1048576 bytes")
  }

  @Test func whatIsMissingIsNotReportedWhenItMayStandInALineThatCannotBeRead() throws {
    #expect(
      try messages(["r.toml": "schema == 1\n[image]\nname = \"a\"\n[base\nsuite = \"b\""]) == """
        r.toml:1:9: error: expected a value, found '='
        r.toml:4:6: error: expected '.' or ']' after the table's name, found the end of the line
        """)
  }
}
