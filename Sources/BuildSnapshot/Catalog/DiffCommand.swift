internal import ArgumentParser
internal import Publishing

/// `build-snapshot diff A B`: what changed between two releases.
struct DiffCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Show what changed between two releases: packages, agents, files, bytes.")

  @Argument(help: "The older release, NAME@VERSION.")
  var old: Reference

  @Argument(help: "The newer release, NAME or NAME@VERSION.")
  var new: Reference

  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() async throws {
    let (catalog, old, new) = (store.catalog, old, new)
    try await running(common) { [common] _ in
      let difference = try catalog.difference(
        from: old.release(in: catalog), to: new.release(in: catalog))
      StandardOutput.write(common.json ? json(difference) : difference.text())
    }
  }
}
