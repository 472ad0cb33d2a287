internal import ArgumentParser
internal import Pipeline

/// `build-snapshot lock RECIPE.toml`: resolve every input and write the lock.
struct LockCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lock",
    abstract: "Resolve every input of a recipe and write its lock.",
    discussion: "Pins stay unless --update moves them: all of them, or those that it names.")

  @OptionGroup var recipe: RecipeOptions
  @OptionGroup var store: StoreOptions
  @OptionGroup var sources: SourceOptions
  @OptionGroup var common: CommonOptions

  @Flag(name: .customLong("update-all"), help: .hidden)
  var updatesAll = false

  @Option(
    name: .long, parsing: .upToNextOption,
    help: ArgumentHelp(
      "Move pins to the newest versions: those of these packages, archives and wheels, or all.",
      valueName: "name"))
  var update: [String] = []

  @Flag(name: .long, help: "Fail if the lock is missing or would change; write nothing.")
  var locked = false

  func run() async throws {
    let request = LockRequest(
      source: recipe.source, store: store.folder,
      update: updatesAll ? .all : update.isEmpty ? .nothing : .only(update), isLocked: locked,
      patience: sources.patience)
    try await running(common) { [common] progress in
      let result = try await lock(request, events: progress.sink)
      progress.close()
      if common.json {
        StandardOutput.write(json(LockReport(result)))
      } else {
        if !common.quiet { StandardError.write(result.changes.map { "  \($0)\n" }.joined()) }
        StandardOutput.write("\(result.file)\n")
      }
    }
  }
}

/// What `--json` prints.
private struct LockReport: Encodable {
  var file: String
  var isChanged: Bool
  var changes: [String]

  init(_ result: LockResult) {
    file = result.file.string
    isChanged = !result.changes.isEmpty
    changes = result.changes
  }
}

/// Makes a bare `--update`, which the parser takes for an option without its value, say "all".
func withBareUpdateSpelledOut(_ arguments: [String]) -> [String] {
  guard arguments.contains("lock") else { return arguments }
  return arguments.enumerated().map { index, argument in
    guard argument == "--update" else { return argument }
    let next = arguments.indices.contains(index + 1) ? arguments[index + 1] : "--"
    return next.hasPrefix("-") || next.hasSuffix(".toml") ? "--update-all" : argument
  }
}
