internal import Content
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

extension LayerStore {
  /// A layer, for whoever makes room.
  public struct Entry: Sendable {
    public var path: FilePath
    /// Bytes on the disk.
    public var size: Int
    /// When it was last used, in nanoseconds since 1970.
    public var used: Int
  }

  /// All layers, in use or not.
  ///
  /// - Parameter sweeps: also removes what has a layer's name and no record, and what earlier removals,
  ///   broken off, have left.
  public func entries(sweeps: Bool) throws -> [Entry] {
    var entries: [Entry] = []
    for name in (try? names(in: folder)) ?? [] {  // a store without layers has none to remove
      guard LayerKey(name) != nil else { continue }
      let path = folder.appending(name)
      var facts = stat()
      guard let record = record(of: path), stat(recordFile(in: path).string, &facts) == 0 else {
        if sweeps { try remove(path) }
        continue
      }
      entries.append(Entry(path: path, size: record.size, used: facts.modified))
    }
    if sweeps {
      for name in (try? names(in: trash)) ?? [] { try removeTree(trash.appending(name)) }
    }
    return entries
  }

  /// Whether nobody uses a layer.
  public func isFree(_ path: FilePath) -> Bool {
    LayerLease(recordFile(in: path), isExclusive: true) != nil
  }

  /// Takes a layer out of sight in one step, then removes it; false when someone uses it.
  @discardableResult
  public func remove(_ path: FilePath) throws -> Bool {
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

  private var trash: FilePath { folder.appending("trash") }
}
