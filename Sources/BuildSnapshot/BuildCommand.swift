internal import ArgumentParser
internal import Pipeline

/// `build-snapshot RECIPE.toml`: the whole job.
struct BuildCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "build",
    abstract: "Build and publish the image of a recipe (the default command).")

  @OptionGroup var recipe: RecipeOptions
  @OptionGroup var store: StoreOptions
  @OptionGroup var sources: SourceOptions
  @OptionGroup var signing: SigningOptions
  @OptionGroup var common: CommonOptions

  @Flag(name: .long, help: "Fail if the lock is missing or would change.")
  var locked = false

  @Flag(name: .long, help: "Use only what the store holds; fetch nothing.")
  var offline = false

  @Option(
    name: .customLong("version"),
    help: "The version to publish, YYYYMMDD.NNN (default: today's next).")
  var wantedVersion: String?

  @Flag(name: .long, help: "Build, but make no version; use it with --output.")
  var noPublish = false

  @Option(name: .long, help: ArgumentHelp("Also copy the image there.", valueName: "file"))
  var output: String?

  @Option(name: .long, help: "Threads for unpacking and writing (default: the processors).")
  var jobs: Int?

  @Option(
    name: .long,
    help: ArgumentHelp("Leave out a check; may be given several times.", valueName: "name"))
  var skipCheck: [String] = []

  @Flag(name: .long, help: "Keep the root folder of a failed build for inspection.")
  var keepRoot = false

  @Flag(name: .long, help: "Build every stage anew, and keep none of them.")
  var noCache = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "How much of what builds keep for the next one stays in the store.", valueName: "GiB"))
  var cacheSize = BuildRequest.defaultCacheSize >> 30

  @Flag(name: .long, help: "Open a shell in the root where a step failed.")
  var debugShell = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Renew a file for Prometheus' node exporter when the run ends.", valueName: "file"))
  var metrics: String?

  func validate() throws {
    if let jobs, !(1...256).contains(jobs) {
      throw ValidationError("--jobs takes a number from 1 to 256")
    }
    try checkCacheSize(cacheSize)
    if noPublish, output == nil {
      throw ValidationError("--no-publish needs --output: else nothing would be kept")
    }
  }

  func run() async throws {
    var request = BuildRequest(
      source: recipe.source, store: store.folder, isLocked: locked, isOffline: offline,
      patience: sources.patience, version: wantedVersion, publishes: !noPublish,
      output: output.map(absolute), jobs: jobs,
      keepsRoot: keepRoot, opensShell: debugShell, usesCache: !noCache,
      cacheSize: cacheSize << 30, program: programVersion)
    request.skippedChecks = Set(skipCheck)
    try enteringNamespace { _ = try request.source.read() }
    let (signing, metrics) = (signing, metrics.map(absolute))
    try await running(common) { [common, request] progress in
      var request = request
      if request.publishes { request.key = try signing.key() }
      let result = try await recordedBuild(request, metrics: metrics, progress: progress)
      progress.close()
      if !common.quiet, common.progress != .json {
        StandardError.write(progress.table + summary(of: result, after: progress.elapsed))
      }
      StandardOutput.write(common.json ? json(BuildReport(result)) : "\(result.path)\n")
    }
  }
}

/// The last line for people: what was made, its size, its hash, and how long it took.
private func summary(of result: BuildResult, after time: Duration) -> String {
  let image = result.image
  let facts =
    "\(bytes(image.virtualSize)), \(bytes(image.allocatedSize)) on disk, sha256 \(image.sha256)"
  return switch result.outcome {
  case .published(let version):
    "published \(result.name) \(version): \(facts), in \(seconds(time))\n"
  case .unchanged(let version):
    "unchanged: \(result.name) \(version) has these inputs; no new version (\(seconds(time)))\n"
  case .made: "made \(result.path): \(facts), in \(seconds(time))\n"
  }
}

/// What `--json` prints.
private struct BuildReport: Encodable {
  var result: String
  var name: String
  var version: String?
  var path: String
  var sha256: String
  var virtualSize: Int
  var allocatedSize: Int

  init(_ build: BuildResult) {
    switch build.outcome {
    case .published(let version): (result, self.version) = ("published", version)
    case .unchanged(let version): (result, self.version) = ("unchanged", version)
    case .made: (result, version) = ("made", nil)
    }
    name = build.name
    path = build.path.string
    sha256 = build.image.sha256.hex
    virtualSize = build.image.virtualSize
    allocatedSize = build.image.allocatedSize
  }
}
