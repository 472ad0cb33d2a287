internal import Content
public import Model
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Which pins of an old lock may move.
public enum Update: Sendable, Equatable {
  /// None: what is new in the recipe is taken from the indices that the lock knows.
  case none
  /// All of them.
  case all
  /// Those of these packages, archives and wheels, and what they force to move.
  case only([String])
}

/// Turns a recipe into a lock: every input with its exact version, size and hash.
public struct Resolver: Sendable {
  let scratch: FilePath
  let store: BlobStore
  let transport: any Transport
  let host: HostApt
  private let now: Int
  /// Whether the programs that resolve may ask nobody either.
  let isOffline: Bool
  let events: EventSink

  /// - Parameters:
  ///   - scratch: a folder for work in progress; what is made there is removed.
  ///   - store: the folder that holds `blobs`.
  ///   - aptFolder: the host's own configuration of apt.
  ///   - now: seconds since 1970, by which Release files expire; nil asks the clock.
  public init(
    scratch: FilePath, store: FilePath, transport: any Transport,
    aptFolder: FilePath = "/etc/apt", now: Int? = nil, isOffline: Bool = false,
    events: @escaping EventSink = { _ in }
  ) throws {
    self.scratch = scratch
    self.store = try BlobStore(store: store)
    self.transport = transport
    host = HostApt(folder: aptFolder)
    self.now = now ?? time(nil)
    self.isOffline = isOffline
    self.events = events
  }

  /// The lock that answers a recipe.
  ///
  /// An old lock of the very same recipe is returned as it is, without a look at any source, unless
  /// an update is asked for. Equal inputs give equal locks.
  ///
  /// - Throws: `ResolvingFailure`, and the transport's own errors as they are.
  public func resolve(
    _ recipe: Recipe, old: Lock? = nil, update: Update = .none
  ) async throws -> Lock {
    if let old, update == .none, old.recipe == recipe.digest { return old }
    let names = try names(of: update, in: old)
    return try await withScratch { folder in
      let isKept = { (name: String) in update != .all && !names.contains(name) }
      let archives = try await lockArchives(
        recipe, old: (old?.archives ?? []).filter { isKept($0.name) })
      let (repositories, packages, stages, boot) = try await packages(
        of: recipe, needs: archives.flatMap(\.depends).uniqued, old: update == .all ? nil : old,
        dates: old, moving: names, in: folder)
      let wheels = try await lockWheels(
        recipe, old: (old?.wheels ?? []).filter { isKept($0.name) }, in: folder)
      let npm = try await lockNPM(
        recipe, packages, old: (old?.npm ?? []).filter { isKept($0.name) && isKept($0.package) },
        in: folder)
      let lock = Lock(
        recipe: recipe.digest, epoch: epoch(of: repositories, packages, old: old),
        environment: recipe.environment, repositories: repositories, packages: packages,
        stages: stages, archives: archives, wheels: wheels, npm: npm, boot: boot)
      try checkPuppeteer(recipe, lock)
      return lock
    }
  }

  /// What `apt-config dump` prints of the host's apt, proxies included: for who fetches.
  public func aptConfiguration() async throws -> String {
    try await withScratch { try await host.configuration(scratch: $0) }
  }

  /// The date of what is built: that of the newest repository, or the old lock's while the packages
  /// of the first stage are the same. It is in all that is built, so that a new date makes all anew.
  private func epoch(
    of repositories: [Lock.Repository], _ packages: [Lock.Package], old: Lock?
  ) -> Int {
    func first(_ packages: [Lock.Package]) -> [Lock.Blob] {
      packages.filter { $0.stage == 0 }.map(\.deb)
    }
    if let old, first(old.packages) == first(packages) { return old.epoch }
    return repositories.map(\.date).max() ?? 0
  }

  /// The names that may move; each must be in the lock.
  private func names(of update: Update, in old: Lock?) throws(ResolvingFailure) -> Set<String> {
    guard case .only(let names) = update, let old else { return [] }
    let known = Set(
      old.packages.map(\.name) + old.archives.map(\.name) + old.wheels.map(\.name)
        + old.npm.flatMap { [$0.name, $0.package] })
    for name in names where !known.contains(name) {
      throw .notLocked(
        name: name,
        hint: suggestion(for: name, among: known))
    }
    return Set(names)
  }

  /// Reads what is needed of the repositories and lets apt solve.
  ///
  /// - Parameters:
  ///   - needs: what archives ask of the packages.
  ///   - old: whose packages and, unless one of them moves, whose indices stay.
  ///   - dates: the lock whose Release dates must not be undercut.
  private func packages(
    of recipe: Recipe, needs: [String], old: Lock?, dates: Lock?, moving names: Set<String>,
    in folder: FilePath
  ) async throws -> (
    [Lock.Repository], [Lock.Package], stages: [String], boot: [Lock.Package]
  ) {
    events(.began(.resolve, total: nil, unit: .items))
    let reader = RepositoryReader(
      base: recipe.base, store: store, transport: transport, scratch: folder, now: now,
      events: events)
    let pockets = try await candidates(for: recipe.base, host: host, scratch: folder)
    let isMoving = old?.packages.contains { names.contains($0.name) } ?? true
    var repositories: [Lock.Repository] = []
    for candidates in pockets {
      let pocket = candidates[0]
      events(.advanced(.resolve, done: repositories.count, subject: pocket.id))
      let known = old?.repositories.first { $0.id == pocket.id }
      if let known, !isMoving, known.covers(pocket, architecture: recipe.base.architecture) {
        repositories.append(known)
        continue
      }
      var fresh = try await reader.refresh(
        candidates, old: dates?.repositories.first { $0.id == pocket.id })
      fresh.earlier = ((known?.indices ?? []) + (known?.earlier ?? [])).uniqued
        .filter { !fresh.indices.contains($0) }
        .sorted { $0.path < $1.path }
      repositories.append(fresh)
    }
    var sources: [IndexSource] = []
    var blobs: [Lock.Blob] = []
    for keyPath in [\Lock.Repository.indices, \.earlier] {
      for (repository, candidates) in zip(repositories, pockets) {
        for blob in repository[keyPath: keyPath] {
          sources.append(
            IndexSource(
              repository: repository.id, index: try await reader.load(blob, of: candidates),
              priority: repository.priority))
          blobs.append(blob)
        }
      }
    }
    let solver = try PackageSolver(
      recipe, needs: needs, sources: sources, folder: folder.appending("apt"))
    let solution = try await solver.solve(keeping: old?.packages ?? [], moving: names)
    let boot = try await solver.bootPackages(
      beside: solution.packages, keeping: old?.boot ?? [])
    let used = Set((solution.packages + boot).map { blobs[$0.source] })
    for index in repositories.indices {
      repositories[index].earlier.removeAll { !used.contains($0) }
    }
    events(.ended(.resolve))
    return (
      repositories.sorted { $0.id < $1.id }, solution.packages.map(\.package), solution.stages,
      boot.map(\.package)
    )
  }

  /// Runs a body with an empty folder that is gone afterwards.
  func withScratch<Result>(
    _ body: (FilePath) async throws -> Result
  ) async throws -> Result {
    let folder = scratch.appending("resolve-\(getpid())-\(UInt32.random(in: 0...UInt32.max))")
    do { try makeFolder(folder) } catch {
      throw ResolvingFailure.io(operation: "make", path: folder.string, reason: "\(error)")
    }
    defer {
      // A folder of scratch that stays does no harm, and the body's own error matters more.
      try? removeTree(folder)
    }
    return try await body(folder)
  }
}

extension Lock.Repository {
  /// Whether the indices are those of the pocket's components and architecture.
  fileprivate func covers(_ pocket: Pocket, architecture: String) -> Bool {
    pocket.components.allSatisfy { component in
      let folder = "dists/\(id)/\(component)/binary-\(architecture)/"
      return indices.contains { $0.path.hasPrefix(folder) }
    }
  }
}
