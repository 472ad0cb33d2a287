internal import Compiling
internal import Content
internal import Fetching
internal import Isolation
public import Model
internal import Publishing
internal import Resolving
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Builds a recipe's image and publishes it: the whole job.
///
/// Runs inside the user namespace. Whatever is thrown, cancellation included, nothing is published and
/// nothing new stays in the store but blobs; with `keepsRoot` the root folder stays too.
public func build(
  _ request: BuildRequest, events: @escaping EventSink
) async throws -> BuildResult {
  let started = Timestamp(seconds: Int(time(nil)))
  let recipe = try request.source.read()
  let catalog = Catalog(store: request.store, key: try signingKey(for: recipe, request))
  let name = recipe.image.name
  let version = try request.version.map(readVersion)
  let guardian = try lockBuild(of: name, in: request.store)
  defer { guardian.release() }
  let cache = StoreCache(store: request.store)
  let use = try cache.use()
  defer { use.release() }

  var opened: Sources?
  defer { opened?.close() }
  let locked = try await lock(
    recipe,
    LockRequest(
      source: request.source, store: request.store, isLocked: request.isLocked,
      isOffline: request.isOffline, patience: request.patience),
    events: events, opened: { opened = $0 })
  let inputs = try BuildInputs(
    recipe: recipe, lock: locked.lock,
    programs: try await programs(of: recipe, Compiler(store: request.store, events: events)))

  if request.publishes {
    if version == nil, let release = try catalog.current(name),
      release.manifest.inputs.buildId == inputs.buildId
    {
      if let output = request.output { try copySparse(release.disk, to: output) }
      try tidy(recipe, in: catalog, isNew: false, events: events)
      return BuildResult(release, isNew: false)
    }
    try catalog.refuseQuarantined(buildId: inputs.buildId, of: name)
  }
  try MissingBootProgram.check(request, recipe)

  let sources: Sources
  if let opened {
    sources = opened
  } else {
    sources = try await Sources(
      recipe, store: request.store, isOffline: request.isOffline, patience: request.patience,
      events: events)
    opened = sources
  }
  try await sources.fetcher.fetch(
    try await sources.resolver.downloads(of: inputs.lock, for: recipe),
    unread: request.usesCache ? inputs.filesOfLayers(in: request.store) : [])
  try Task.checkCancellation()

  let maker = Maker(
    request: request, inputs: inputs, blobs: sources.blobs, version: version, started: started,
    memory: request.usesCache ? BuildMemory(of: name, in: request.store) : BuildMemory(),
    events: events)
  let result = try await maker.make(in: catalog)
  use.release()
  // What this build used stays: so the next one finds it, however low the limit.
  do { _ = try cache.collect(limit: request.cacheSize, sparing: use.since) } catch {
    events(.note("the store may hold more than it should: \(error)"))
  }
  return result
}

/// The key that signs what the request publishes; nil publishes unsigned.
private func signingKey(for recipe: Recipe, _ request: BuildRequest) throws -> SigningKey? {
  guard request.publishes else { return nil }
  if let key = request.key { return key }
  if let file = recipe.publish.key { return try SigningKey(file: FilePath(file)) }
  if recipe.publish.isSigned { throw MissingKey(image: recipe.image.name) }
  return nil
}

/// A recipe wants signed releases, and there is no key.
struct MissingKey: Error, CustomStringConvertible {
  var image: String
  var description: String {
    "releases of '\(image)' must be signed ('signed' in [publish]) and there is no key; give it with "
      + "--key, $\(SigningKey.variableName) or systemd's credential '\(SigningKey.credentialName)'"
  }
}

/// Takes the lock that keeps a second build of the same image away.
private func lockBuild(of name: String, in store: FilePath) throws -> FileLock {
  let folder = store.appending("locks")
  do { try makeFolder(folder) } catch let reason {
    throw UnusableStore(store: store, reason: reason)
  }
  return try FileLock(folder.appending(name + ".lock"), for: "a build of '\(name)'")
}

/// A store in which nothing can be made.
struct UnusableStore: Error, CustomStringConvertible {
  var store: FilePath
  var reason: Errno
  var description: String {
    "cannot use the store '\(store)': \(reason); name another one with --store"
  }
}

private func readVersion(_ text: String) throws -> Version {
  guard let version = Version(text) else { throw InvalidVersion(text: text) }
  return version
}

/// A `--version` that is none.
struct InvalidVersion: Error, CustomStringConvertible {
  var text: String
  var description: String { "'\(text)' is not a version such as 20260131.001" }
}

extension BuildResult {
  init(_ release: Release, isNew: Bool) {
    let version = release.version.description
    self.init(
      outcome: isNew ? .published(version: version) : .unchanged(version: version),
      name: release.image, path: release.disk,
      image: MadeImage(
        virtualSize: release.manifest.disk.virtualSize,
        allocatedSize: release.manifest.disk.allocatedSize, sha256: release.manifest.disk.sha256))
  }
}
