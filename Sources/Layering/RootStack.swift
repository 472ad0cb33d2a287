internal import Content
internal import Isolation
internal import Model
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// A root that grows by stages, each a layer over those before it; layers are taken from a store where
/// it has them.
///
/// In plain mode all stages go into one folder, and nothing is taken from anywhere: the same root, on
/// machines that have no overlays, and for whoever wants to keep the folder.
public final class RootStack {
  /// What became of a stage.
  public enum Outcome: Sendable, Equatable {
    case reused, built
    /// The store had it, but not as it was left there.
    case rebuiltDamaged
  }

  /// Where the root shows.
  public let root: FilePath
  /// The layers so far, the lowest first; empty in plain mode.
  public private(set) var layers: [Layer] = []
  private let work: FilePath
  private let store: LayerStore?
  private let isPlain: Bool
  private var chain = Chain()
  private var isMounted = false
  private var count = 0

  /// - Parameters:
  ///   - work: an empty folder of the build's own, on the file system of the store.
  ///   - store: nil keeps and takes no layers.
  ///   - isPlain: works without overlays.
  public init(in work: FilePath, store: LayerStore?, isPlain: Bool) throws {
    self.work = work
    self.store = isPlain ? nil : store
    self.isPlain = isPlain
    root = work.appending("root")
    try makeFolder(root)
  }

  /// Brings a stage into the root: from the store, or by `build`.
  ///
  /// - Parameters:
  ///   - willBuild: called before it is built, with whether the store had a damaged layer of it.
  ///   - build: puts what the stage makes into `root`, and takes away its traces.
  ///   - settle: gets the folder with all that the stage has changed, when nothing shows it any more.
  public func add(
    _ stage: Stage, willBuild: (_ isDamaged: Bool) -> Void, build: () async throws -> Void,
    settle: (FilePath) throws -> Void
  ) async throws -> Outcome {
    var isDamaged = false
    switch try find(stage) {
    case .layer(let layer, _):
      push(layer)
      return .reused
    case .damaged: isDamaged = true
    case .nothing: break
    }
    willBuild(isDamaged)
    if isPlain {
      try await build()
      try settle(root)
    } else {
      push(try await make(stage, build, settle))
    }
    return isDamaged ? .rebuiltDamaged : .built
  }

  /// Shows the finished root; nothing can change it then.
  public func show() throws {
    if isPlain { return }
    try showLayers()
  }

  /// Takes the root away, so that its folder can be removed.
  public func hide() throws {
    guard isMounted else { return }
    try Overlay.unmount(root)
    isMounted = false
  }

  /// Waits until new layers are on the disk: a later build can trust them after a crash, too.
  public func settleLayers() throws { try store?.settle(layers) }

  private func push(_ layer: Layer) {
    layers.append(layer)
    chain.append(layer.key)
  }

  private func find(_ stage: Stage) throws -> LayerStore.Found {
    guard let store else { return .nothing }
    if case .everything = stage.ground { return try store.find(chain.key(of: stage)) }
    var found = LayerStore.Found.nothing
    let candidates = store.candidates(for: stage.hash)
    if candidates.isEmpty { return found }
    try showLayers()
    for candidate in candidates {
      switch try store.find(candidate) {
      case .layer(let layer, let record):
        let places = record.footprint ?? []
        guard layer.key == LayerKey(stage.hash, touching: Footprint.hash(places)) else { continue }
        if try Footprint.fits(places, root) { return .layer(layer, record) }
      case .damaged: found = .damaged
      case .nothing: continue
      }
    }
    return found
  }

  private func make(
    _ stage: Stage, _ build: () async throws -> Void, _ settle: (FilePath) throws -> Void
  ) async throws -> Layer {
    count += 1
    let folder = work.appending("layer-\(count)")
    let tree = folder.appending("tree")
    let scratch = work.appending("scratch-\(count)")
    for path in [folder, tree, scratch] { try makeFolder(path) }
    try giveAttributes(to: tree)
    try hide()
    if layers.isEmpty {
      // The first layer needs nothing over or under it: it is built where it shows.
      try Overlay.bind(tree, at: root)
    } else {
      try Overlay.mount(
        layers.reversed().map(\.tree), upper: tree, work: scratch, at: root)
    }
    isMounted = true
    try await build()
    try hide()
    try settle(tree)
    try removeTree(scratch)
    var footprint: [Footprint.Place]?
    var key = chain.key(of: stage)
    if case .touched(let others) = stage.ground {
      try showLayers()
      let places = try Footprint.places(of: tree, and: others, below: root)
      footprint = places
      key = LayerKey(stage.hash, touching: Footprint.hash(places))
    }
    guard let store else {
      return Layer(name: stage.name, key: key, tree: tree, lease: nil)
    }
    return try store.add(
      folder, as: key, name: stage.name, inputs: stage.inputs, footprint: footprint)
  }

  /// The upper folder is the top of what shows: it gets what the top below it has.
  private func giveAttributes(to tree: FilePath) throws {
    var facts = stat()
    guard let last = layers.last else {
      guard chmod(tree.string, 0o755) == 0 else { throw Errno(rawValue: errno) }
      return
    }
    guard stat(last.tree.string, &facts) == 0, chown(tree.string, facts.st_uid, facts.st_gid) == 0,
      chmod(tree.string, facts.st_mode & 0o7777) == 0,
      utimensat(AT_FDCWD, tree.string, [facts.st_mtim, facts.st_mtim], 0) == 0
    else { throw Errno(rawValue: errno) }
  }

  private func showLayers() throws {
    try hide()
    // The kernel wants two: an empty one lies below all.
    let bottom = work.appending("bottom")
    try makeFolder(bottom)
    try Overlay.mount(layers.reversed().map(\.tree) + [bottom], at: root)
    isMounted = true
  }
}
