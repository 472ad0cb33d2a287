internal import Content
public import Model
internal import Publishing
internal import Resolving
public import SystemPackage
public import Verifying

/// What `verify` shall judge.
public struct VerifyRequest: Sendable {
  public enum Target: Sendable {
    /// A published image; nil for its current version.
    case release(name: String, version: Version?)
    /// Any image, also one that others made.
    case file(FilePath)
  }
  public var target: Target
  public var store: FilePath
  /// Gives budget, tests, machine and allowances; nil judges without them.
  public var recipe: RecipeSource?
  public var skippedChecks: Set<String>
  public var boots: Bool
  public var jobs: Int?

  public init(
    target: Target, store: FilePath, recipe: RecipeSource? = nil, skippedChecks: Set<String> = [],
    boots: Bool = true, jobs: Int? = nil
  ) {
    self.target = target
    self.store = store
    self.recipe = recipe
    self.skippedChecks = skippedChecks
    self.boots = boots
    self.jobs = jobs
  }
}

/// What `verify` found.
public struct VerifyResult: Sendable {
  public var image: FilePath
  public var report: Report
  /// The folder with console logs, pictures and what tests printed.
  public var evidence: FilePath
}

/// Judges a published or a loose image as far as it can; what it cannot judge is in the report too.
public func verify(
  _ request: VerifyRequest, events: @escaping EventSink
) async throws -> VerifyResult {
  let recipe = try request.recipe?.read()
  let catalog = Catalog(store: request.store)
  var release: Release?
  let disk: FilePath
  let name: String
  switch request.target {
  case .file(let path): (disk, name) = (path, path.lastComponent?.string ?? "image")
  case .release(let image, let version):
    let found =
      try version.map { try catalog.release(image, $0) } ?? catalog.current(image)
    guard let found else { throw CatalogFailure.noImage(image, store: request.store) }
    (release, disk, name) = (found, found.disk, image)
  }
  let run = try RunFolder(of: name, in: request.store)
  events(.began(.check, total: nil, unit: .items))
  var report = Report()
  if let release {
    report.results.append(
      try .timed("disk", .image) {
        let hash = try ContentHash(ofFile: disk)
        guard hash != release.manifest.disk.sha256 else {
          return ([], "sha256 \(hash.hex.prefix(12))")
        }
        return (
          [
            Finding(
              check: "disk",
              "the image is not what was published: its sha256 is \(hash), the manifest says "
                + "\(release.manifest.disk.sha256)")
          ], nil
        )
      })
  }
  let judge = ImageJudge(
    disk: disk, recipe: recipe, jobs: request.jobs ?? processors, skipping: request.skippedChecks,
    evidence: run.path)
  report.results += try judge.results(agentHashes: agentHashes(of: recipe)).results
  let tests = recipe?.tests.count { $0.stage == .root } ?? 0
  if tests > 0 {
    report.results.append(
      CheckResult(
        name: "tests in the tree", phase: .sandbox, outcome: .skipped, seconds: 0,
        remark: "\(tests) of them run where the tree is: in a build"))
  }
  report.results += try await bootResults(
    request, recipe, disk: disk, evidence: run.path, events: events)
  events(.ended(.check))
  try run.write(report)
  return VerifyResult(image: disk, report: report, evidence: run.path)
}

private func bootResults(
  _ request: VerifyRequest, _ recipe: Recipe?, disk: FilePath, evidence: FilePath,
  events: @escaping EventSink
) async throws -> [CheckResult] {
  func skipped(_ reason: String) -> [CheckResult] {
    [CheckResult(name: "boot", phase: .vm, outcome: .skipped, seconds: 0, remark: reason)]
  }
  guard request.boots, !request.skippedChecks.contains("boot") else {
    return skipped("it was not asked for")
  }
  guard let recipe, let source = request.recipe else {
    return skipped("no recipe says how to boot it; give one with --recipe")
  }
  guard recipe.boot != nil else { return skipped("the recipe has no [boot]") }
  guard let lock = try readLock(source.lockFile) else {
    return skipped("the recipe has no lock, which would name a kernel")
  }
  let use = try StoreCache(store: request.store).use()
  defer { use.release() }
  return try await bootResults(
    of: disk, recipe, lock, from: try BlobStore(store: request.store), store: request.store,
    evidence: evidence, skipping: request.skippedChecks, events: events)
}
