internal import ArgumentParser
internal import Model
internal import Pipeline
internal import Publishing

/// `build-snapshot gc`: remove what retention allows.
struct GcCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gc",
    abstract: "Remove old versions; never what is current, pinned, in use or the last good one.")

  @Argument(help: "An image's name (default: all images).")
  var name: String?

  @Option(name: .long, help: "How many of the newest versions stay.")
  var keep = 7

  @Option(
    name: .long,
    help: ArgumentHelp("How much of the stages of builds stays.", valueName: "GiB"))
  var cacheSize = BuildRequest.defaultCacheSize >> 30

  @Flag(name: .long, help: "Only say what would go.")
  var dryRun = false

  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if keep < 1 { throw ValidationError("--keep takes a number from 1 on") }
    if !(0...65536).contains(cacheSize) {
      throw ValidationError("--cache-size takes a number of GiB from 0 to 65536")
    }
  }

  func run() async throws {
    let (catalog, name, keep, dryRun) = (store.catalog, name, keep, dryRun)
    let (folder, limit) = (store.folder, cacheSize << 30)
    try enteringNamespace {}
    try await running(common) { [common] _ in
      var removed: [String] = []
      for image in try name.map({ [$0] }) ?? catalog.images() {
        let cleanup = try catalog.collect(
          image, Retention(keep: keep), at: present(), isDryRun: dryRun)
        removed += cleanup.removed.map { "\(image)@\($0)" }
      }
      removed += try collectLayers(in: folder, limit: limit, isDryRun: dryRun).map { "stage \($0)" }
      StandardOutput.write(common.json ? json(removed) : removed.map { $0 + "\n" }.joined())
    }
  }
}
