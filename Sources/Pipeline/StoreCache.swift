internal import Content
internal import Layering
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// What a store keeps for the next build: all of it can be made or fetched again, and none belongs to the catalog.
///
/// It may take so much room; beyond that goes what was not used for longest. A layer that a build uses is
/// locked and stays; all else stays while any build runs.
public struct StoreCache: Sendable {
  /// What is kept, by its folder in the store.
  public enum Kind: String, Sendable, Encodable, CaseIterable {
    /// What one stage adds to a root.
    case layers
    /// Programs that were compiled.
    case products
    /// Debs and npm's tarballs in a form that unpacks fast.
    case debs, tarballs
    /// What was fetched, by its hash.
    case blobs
  }

  /// What a collection did with one kind.
  public struct Part: Sendable, Encodable {
    public var kind: Kind
    public var removed = 0
    /// In bytes, as is `size`.
    public var freed = 0
    public var kept = 0
    public var size = 0
  }

  public struct Cleanup: Sendable {
    /// Of each kind that the store holds.
    public var parts: [Part] = []
    /// Whether a build ran, so that only layers could go.
    public var isBusy = false
  }

  private let store: FilePath
  private let layers: LayerStore

  public init(store: FilePath) {
    self.store = store
    layers = LayerStore(store: store)
  }

  /// Takes the right to use what is kept: waits while another removes some of it.
  func use() throws -> StoreUse { try StoreUse(try lockFile()) }

  /// Removes what was not used for longest, until all takes no more than `limit` bytes.
  ///
  /// - Parameters:
  ///   - moment: what was used since then stays; see `StoreUse.since`.
  ///   - isDryRun: only says what would go.
  ///
  /// Runs inside the user namespace, since a layer's files have many owners.
  public func collect(
    limit: Int, sparing moment: Int = .max, isDryRun: Bool = false
  ) throws -> Cleanup {
    let names = Set((try? Content.names(in: store)) ?? [])  // no store: nothing to remove
    guard Kind.allCases.contains(where: { names.contains($0.rawValue) }) else { return Cleanup() }
    let use = try StoreUse.alone(try lockFile())
    defer { use?.release() }
    if !isDryRun { try sweep(isAlone: use != nil) }
    let items = try self.items(sweeps: !isDryRun).sorted {
      ($0.used, $0.path.string) < ($1.used, $1.path.string)
    }
    var parts: [Kind: Part] = [:]
    var total = items.reduce(0) { $0 + $1.size }
    for item in items {
      var part = parts[item.kind] ?? Part(kind: item.kind)
      let mayGo = total > limit && item.used < moment
      if mayGo, isFree(item, isAlone: use != nil), try isDryRun || remove(item) {
        part.removed += 1
        part.freed += item.size
        total -= item.size
      } else {
        part.kept += 1
        part.size += item.size
      }
      parts[item.kind] = part
    }
    return Cleanup(parts: Kind.allCases.compactMap { parts[$0] }, isBusy: use == nil)
  }

  private func lockFile() throws -> FilePath {
    let folder = store.appending("locks")
    do { try makeFolder(folder) } catch let reason {
      throw UnusableStore(store: store, reason: reason)
    }
    return folder.appending(".use")
  }
}

extension StoreCache {
  private struct Item {
    var kind: Kind
    var path: FilePath
    /// Bytes on the disk.
    var size: Int
    /// When it was last used, in nanoseconds since 1970.
    var used: Int
  }

  private func items(sweeps: Bool) throws -> [Item] {
    try Kind.allCases.flatMap { kind in
      if kind == .layers {
        return try layers.entries(sweeps: sweeps).map {
          Item(kind: .layers, path: $0.path, size: $0.size, used: $0.used)
        }
      }
      return try entries(of: kind).compactMap { path in
        var facts = stat()
        // A part that a build has just finished bears another name now.
        guard lstat(path.string, &facts) == 0 else { return nil }
        return Item(
          kind: kind, path: path, size: try diskUse(of: path, facts), used: facts.modified)
      }
    }
  }

  /// The files of a kind, each in a folder named for its first digits; of products the folder of each.
  private func entries(of kind: Kind) throws -> [FilePath] {
    var folder = store.appending(kind.rawValue)
    if kind == .blobs { folder = folder.appending("sha256") }
    guard access(folder.string, F_OK) == 0 else { return [] }
    return try names(in: folder).flatMap { shard in
      let shard = folder.appending(shard)
      return try names(in: shard).map { shard.appending($0) }
    }
  }

  private func isFree(_ item: Item, isAlone: Bool) -> Bool {
    item.kind == .layers ? layers.isFree(item.path) : isAlone
  }

  /// Removes it; false when someone has begun to use it.
  private func remove(_ item: Item) throws -> Bool {
    switch item.kind {
    case .layers: return try layers.remove(item.path)
    case .products:
      // What says that all of it is there goes first.
      unlink(item.path.appending("sha256").string)
      try removeTree(item.path)
    case .debs, .tarballs, .blobs: try removeTree(item.path)
    }
    return true
  }

  /// Removes what broken-off builds and removals have left.
  private func sweep(isAlone: Bool) throws {
    try BlobStore(store: store).sweep()
    guard isAlone else { return }
    for kind in [Kind.debs, .tarballs] {
      for path in try entries(of: kind) where path.string.hasSuffix(".part") {
        try removeTree(path)
      }
    }
  }
}

/// Bytes on the disk of a file, or of a folder and all in it.
private func diskUse(of path: FilePath, _ facts: stat) throws -> Int {
  var size = Int(facts.st_blocks) * 512
  guard facts.st_mode & S_IFMT == S_IFDIR else { return size }
  for name in try names(in: path) {
    let child = path.appending(name)
    var facts = stat()
    guard lstat(child.string, &facts) == 0 else { continue }  // see `items`
    size += try diskUse(of: child, facts)
  }
  return size
}
