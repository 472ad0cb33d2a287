internal import Content
public import Model

/// Reads a recipe, what it extends and its variables, and checks all of it.
///
/// - Parameters:
///   - file: the recipe's path; positions and relative paths count from it as it is written.
///   - variables: values for `${name}` that go before those of `[vars]`.
///   - environment: what `${env:NAME}` takes from.
/// - Throws: every fault that the recipe has, at once.
public func readRecipe(
  at file: String, variables: [String: String] = [:], environment: [String: String] = [:]
) throws(FaultyRecipe) -> Recipe {
  let report = Report()
  var extending = Extending(report: report)
  let merged = extending.read(file)
  var values = Variables(
    of: merged, overrides: variables, environment: environment, report: report)
  let table = values.expand(merged.without(["schema", "extends", "vars"]))
  var recipe = RecipeReader(table: table, file: file, report: report).read()
  guard report.isEmpty else { throw report.fault }
  recipe.environment = values.environment
  // How an image is published does not bear on what is in it.
  recipe.digest = digest(of: table.without(["publish"]), recipe: file)
  return recipe
}

/// Takes the tables of a merged and expanded recipe apart.
///
/// Each kind of table has a function of its own, in the file that is named for its topic.
struct RecipeReader {
  let table: TOMLTable
  let file: String
  let report: Report

  /// The recipe, with stand-ins where the report has faults, and without a digest.
  func read() -> Recipe {
    refuseUnknownTables()
    let chromium = chromium()
    return Recipe(
      file: file, digest: ContentHash(of: []), image: image(), base: base(),
      packages: packages(chromium?.browser),
      archives: tables("archive", archive) + (chromium?.archive.map { [$0] } ?? []),
      wheels: tables("wheel", wheel),
      npm: npm, chromium: chromium?.browser, files: tables("file", file),
      users: tables("user", user),
      units: tables("unit", unit),
      agents: tables("agent", agent), runs: tables("run", run), budget: budget,
      tests: tables("test", test), boot: boot, allowances: tables("allow", allowance),
      publish: publish)
  }

  private static let single = [
    "image", "base", "packages", "npm", "chromium", "budget", "boot", "publish",
  ]
  private static let several = [
    "archive", "wheel", "file", "user", "unit", "agent", "run", "test", "allow",
  ]

  private func refuseUnknownTables() {
    let known = ["schema", "extends", "vars"] + Self.single + Self.several
    for entry in table.entries where !known.contains(entry.key) {
      let kind = entry.value.type.contains("table") ? "table" : "key"
      report.add(
        entry.position, "unknown \(kind) '\(entry.key)'",
        hint: suggestion(for: entry.key, among: known))
    }
  }

  /// The fields of a table that stands once; nil when it is not there.
  func fields(_ name: String) -> Fields? {
    guard let entry = table[name] else { return nil }
    guard case .table(let content) = entry.value.content else {
      report.add(entry.position, "'\(name)' must be one table, written [\(name)]")
      return nil
    }
    return Fields(content, name: "[\(name)]", at: entry.position, report: report)
  }

  /// The fields of a table that must be there; empty ones stand in for it.
  func requiredFields(_ name: String) -> Fields? {
    if table[name] == nil {
      let start = SourcePosition(file: file, line: 1, column: 1)
      report.missing(start, "missing table [\(name)]")
    }
    return fields(name)
  }

  /// Reads every table of an array of tables.
  func tables<Item>(_ name: String, _ read: (inout Fields) -> Item) -> [Item] {
    guard let entry = table[name] else { return [] }
    guard case .array(let values) = entry.value.content else {
      report.add(entry.position, "'\(name)' must be an array of tables, written [[\(name)]]")
      return []
    }
    return values.compactMap { value in
      guard case .table(let content) = value.content else {
        report.add(value.position, "'\(name)' must hold tables, not \(value.type)")
        return nil
      }
      var fields = Fields(content, name: "[[\(name)]]", at: value.position, report: report)
      let item = read(&fields)
      fields.finish()
      return item
    }
  }
}

extension TOMLTable {
  fileprivate func without(_ keys: Set<String>) -> TOMLTable {
    var rest = TOMLTable()
    for entry in entries where !keys.contains(entry.key) { rest.set(entry) }
    return rest
  }
}
