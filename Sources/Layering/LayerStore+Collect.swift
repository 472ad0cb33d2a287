internal import Content
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

extension LayerStore {
  /// Layers that went, and what stays.
  public struct Cleanup: Sendable, Equatable {
    /// Stage and key of each, the one that was not used for longest first.
    public var removed: [String] = []
    /// Bytes on the disk.
    public var freed = 0
    public var kept = 0
  }

  /// Removes layers that were not used for longest, until the others take no more than `limit` bytes;
  /// one in use stays.
  ///
  /// - Parameter isDryRun: only says what would go.
  public func collect(limit: Int, isDryRun: Bool = false) throws -> Cleanup {
    var cleanup = Cleanup()
    var layers: [(path: FilePath, name: String, size: Int, used: timespec)] = []
    for name in (try? names(in: folder)) ?? [] {  // a store without layers has none to remove
      guard LayerKey(name) != nil else { continue }
      let path = folder.appending(name)
      var facts = stat()
      guard let record = record(of: path), stat(recordFile(in: path).string, &facts) == 0 else {
        if !isDryRun { try remove(path) }
        continue
      }
      layers.append((path, "\(record.name) \(name)", record.size, facts.st_mtim))
    }
    layers.sort { ($0.used.tv_sec, $0.used.tv_nsec) < ($1.used.tv_sec, $1.used.tv_nsec) }
    var total = layers.reduce(0) { $0 + $1.size }
    for layer in layers where total > limit {
      guard try isDryRun || remove(layer.path) else { continue }
      cleanup.removed.append(layer.name)
      cleanup.freed += layer.size
      total -= layer.size
    }
    cleanup.kept = total
    if !isDryRun { try sweep() }
    return cleanup
  }

  /// Takes a layer out of sight in one step, then removes it; false when someone uses it.
  @discardableResult
  func remove(_ path: FilePath) throws -> Bool {
    let record = recordFile(in: path)
    let lease = LayerLease(record, isExclusive: true)
    // A folder without a record can be in nobody's use.
    if lease == nil, access(record.string, F_OK) == 0 { return false }
    try makeFolder(trash)
    let grave = trash.appending(String(UInt64.random(in: 0...UInt64.max), radix: 36))
    guard rename(path.string, grave.string) == 0 else {
      if errno == ENOENT { return false }
      throw Errno(rawValue: errno)
    }
    withExtendedLifetime(lease) {}
    try removeTree(grave)
    return true
  }

  /// Removes what earlier removals, broken off, have left.
  private func sweep() throws {
    for name in (try? names(in: trash)) ?? [] { try removeTree(trash.appending(name)) }
  }

  private var trash: FilePath { folder.appending("trash") }
}
