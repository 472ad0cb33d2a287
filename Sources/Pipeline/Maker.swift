internal import Assembling
internal import Content
internal import Imaging
internal import Isolation
internal import Model
internal import Publishing
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Makes one image of inputs that are all in the store: root, image, release.
struct Maker: Sendable {
  let request: BuildRequest
  let inputs: BuildInputs
  let blobs: BlobStore
  let version: Version?
  let events: EventSink

  /// Makes the image and publishes it, or puts it where the request wants it.
  ///
  /// The root folder goes, however this ends; `keepsRoot` keeps it when it fails.
  func make(in catalog: Catalog) async throws -> BuildResult {
    let work = try WorkFolder(in: request.store)
    let root = work.path.appending("root")
    try makeFolder(root)
    let sandbox = Sandbox(root: root, hostname: inputs.recipe.image.hostname)
    do {
      try await assemble(in: sandbox)
      let result = try await image(root, in: catalog, work: work.path)
      try work.remove()
      return result
    } catch {
      if request.opensShell, !(error is CancellationError) {
        events(.note("\(error); this shell is in the root, the build ends with it"))
        try sandbox.debugShell()
      }
      if request.keepsRoot {
        events(.note("the root stays in '\(root)' until the next build"))
      } else {
        try work.remove()
      }
      throw error
    }
  }

  private func assemble(in sandbox: Sandbox) async throws {
    let recipe = inputs.recipe
    let manual = Set(
      recipe.packages.install.map { String($0.value.prefix { $0 != "=" && $0 != ":" }) })
    let jobs = request.jobs ?? processors
    try await installPackages(
      inputs.lock.packages, from: blobs, in: sandbox,
      options: InstallOptions(manual: manual, epoch: inputs.lock.epoch, jobs: jobs), events: events
    ) {
      try addUsers(recipe.users, to: sandbox.root, epoch: inputs.lock.epoch)
    }
    try Task.checkCancellation()
    // Before the recipe's own files come: these may replace what packages brought.
    let findings = try packageFindings(in: sandbox)
    guard findings.isEmpty else { throw FaultyPackages(findings: findings) }
    try customise(
      recipe, inputs.lock, from: blobs, in: sandbox, buildID: inputs.lockHash.hex, events: events)
    try Task.checkCancellation()
    _ = try normalise(sandbox.root, epoch: inputs.lock.epoch, events: events)
  }

  private func image(_ root: FilePath, in catalog: Catalog, work: FilePath) async throws
    -> BuildResult
  {
    let recipe = inputs.recipe
    let staging = try catalog.stage(recipe.image.name)
    let facts = try writeImage(
      of: try scanTree(of: root), to: staging.disk,
      options: ImageOptions(
        size: Int64(recipe.image.size), label: recipe.image.label,
        identity: "\(recipe.image.name) \(inputs.lockHash)", epoch: UInt32(inputs.lock.epoch),
        jobs: request.jobs ?? processors),
      events: events)
    try Task.checkCancellation()
    let image = MadeImage(
      virtualSize: recipe.image.size, allocatedSize: Int(facts.allocatedSize),
      sha256: try digest(ofImage: staging.disk, events: events))
    guard request.publishes else {
      guard let output = request.output else { throw Defect(description: "no place for the image") }
      try copySparse(staging.disk, to: output)
      return BuildResult(outcome: .made, name: recipe.image.name, path: output, image: image)
    }
    events(.began(.publish, total: nil, unit: .items))
    try staging.add(
      Array(inputs.lockText.utf8), as: "recipe.lock", role: "lock", mediaType: "application/json")
    try staging.add(
      Array(packageList(of: inputs.lock).utf8), as: "packages.txt", role: "packages",
      mediaType: "text/tab-separated-values")
    let draft = draftManifest(
      of: inputs, image: image, facts: facts,
      system: try operatingSystem(of: root, recipe.base), program: request.program)
    try Task.checkCancellation()
    let published = try catalog.publish(
      staging, draft, at: Timestamp(seconds: Int(time(nil))), version: version)
    events(.ended(.publish))
    if let output = request.output { try copySparse(published.release.disk, to: output) }
    if case .unchanged(let release) = published { return BuildResult(release, isNew: false) }
    return BuildResult(published.release, isNew: true)
  }
}

/// How many processors this machine gives us.
let processors = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))

/// dpkg or apt finds fault with the packages of a finished root.
struct FaultyPackages: Error, CustomStringConvertible {
  var findings: [String]
  var description: String {
    "the packages of the root are not consistent:\n"
      + findings.map { "  \($0)" }.joined(separator: "\n")
  }
}
