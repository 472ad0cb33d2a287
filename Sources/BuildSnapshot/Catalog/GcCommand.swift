internal import ArgumentParser
internal import Model
internal import Pipeline
internal import Publishing

/// `build-snapshot gc`: remove what retention allows, and what of the cache is too much.
struct GcCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gc",
    abstract: "Remove old versions; never what is current, pinned, in use or the last good one.",
    discussion: """
      Prints the versions that go, then for each kind of what builds keep for the next one how much goes and \
      how much stays. All of that can be made or fetched again; what was not used for longest goes first.
      """)

  @Argument(help: "An image's name (default: all images).")
  var name: String?

  @Option(
    name: .long,
    help:
      "How many of the newest versions stay (default: what the recipe's [publish] says, else 7).")
  var keep: Int?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Versions younger than that stay: 12h, 14d (default: what the recipe says, else none).",
      valueName: "time"))
  var minAge: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "How much of what builds keep for the next one stays: layers, programs, packages, downloads.",
      valueName: "GiB"))
  var cacheSize = BuildRequest.defaultCacheSize >> 30

  @Flag(name: .long, help: "Only say what would go.")
  var dryRun = false

  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if let keep, keep < 1 { throw ValidationError("--keep takes a number from 1 on") }
    if let minAge, secondsOfTime(minAge) == nil {
      throw ValidationError("--min-age takes a time such as '14d', not '\(minAge)'")
    }
    try checkCacheSize(cacheSize)
  }

  func run() async throws {
    let (catalog, name, keep, dryRun) = (store.catalog, name, keep, dryRun)
    let minAge = minAge.flatMap(secondsOfTime)
    let cache = StoreCache(store: store.folder)
    let limit = cacheSize << 30
    try enteringNamespace {}
    try await running(common) { [common] progress in
      var report = GcReport()
      for image in try name.map({ [$0] }) ?? catalog.images() {
        var retention = try catalog.retention(image) ?? Retention()
        if let keep { retention.keep = keep }
        if let minAge { retention.minAge = minAge }
        let cleanup = try catalog.collect(image, retention, at: present(), isDryRun: dryRun)
        report.add(cleanup, of: image)
      }
      let cleanup = try cache.collect(limit: limit, isDryRun: dryRun)
      report.cache = cleanup.parts
      if cleanup.isBusy {
        progress.sink(.note("a build runs: of what builds keep, only layers can go now"))
      }
      StandardOutput.write(common.json ? json(report) : report.text)
    }
  }
}

/// - Throws: for a number of GiB that cannot be meant.
func checkCacheSize(_ size: Int) throws {
  if !(0...65536).contains(size) {
    throw ValidationError("--cache-size takes a number of GiB from 0 to 65536")
  }
}

/// What a collection removed and left.
private struct GcReport: Encodable {
  struct Kept: Encodable {
    var release: String
    var reason: Cleanup.Reason
  }

  var removed: [String] = []
  var kept: [Kept] = []
  var cache: [StoreCache.Part] = []

  mutating func add(_ cleanup: Cleanup, of image: String) {
    removed += cleanup.removed.map { "\(image)@\($0)" }
    kept += cleanup.kept.map { Kept(release: "\(image)@\($0.version)", reason: $0.reason) }
  }

  var text: String {
    let rows = cache.map { part in
      padded(part.kind.rawValue, 10)
        + "\(part.removed) removed, \(bytes(part.freed)); \(part.kept) left, \(bytes(part.size))\n"
    }
    return (removed.map { $0 + "\n" } + rows).joined()
  }
}
