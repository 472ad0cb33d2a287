internal import CLinux
internal import Content
internal import FoundationEssentials
internal import Model
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// The layers of all builds of a store: `<store>/layers/<40 characters>/tree` with a record beside it.
///
/// A layer is made in a folder of its build's own and appears under its name by one rename. Whoever finds
/// it there looks at every path of it before using it; one that is not as it was finished goes. What is
/// in use is locked, so that nobody removes it.
public struct LayerStore: Sendable {
  let folder: FilePath
  private let boot: String

  public init(store: FilePath) {
    folder = store.appending("layers")
    // Without it nothing is trusted that is not known to be on the disk.
    let id = (try? contents(of: "/proc/sys/kernel/random/boot_id")) ?? []
    boot = String(decoding: id.filter { $0 != 10 }, as: UTF8.self)
  }

  /// Whether a layer is in the store; it may turn out to be damaged.
  public func has(_ key: LayerKey) -> Bool { record(of: path(of: key)) != nil }

  /// What a search for a layer gave.
  enum Found {
    case layer(Layer, LayerRecord)
    /// It was there, and was not as it was left.
    case damaged
    case nothing
  }

  /// Finds a layer, looks at all of it, and keeps it from being removed.
  func find(_ key: LayerKey) throws -> Found {
    let path = path(of: key)
    guard let lease = LayerLease(recordFile(in: path)) else {
      // Without a record, or in the hands of who removes it.
      guard exists(path) else { return .nothing }
      try remove(path)
      return .damaged
    }
    guard let record = record(of: path) else {
      try discard(path, lease)
      return .damaged
    }
    let isWritten =
      record.boot == boot && !boot.isEmpty || exists(path.appending(LayerStore.writtenName))
    let tree = path.appending("tree")
    // One that cannot be read any more is as damaged as one that reads otherwise.
    guard isWritten, let seal = try? Seal(of: tree), seal.hash.hex == record.seal else {
      try discard(path, lease)
      return .damaged
    }
    // Its record's time says when it was last used.
    utimensat(AT_FDCWD, recordFile(in: path).string, nil, 0)
    return .layer(Layer(name: record.name, key: key, tree: tree, lease: lease), record)
  }

  /// The layers that were made of the same inputs, wherever they lay.
  func candidates(for inputs: ContentHash) -> [LayerKey] {
    // A store without layers has no such folder.
    ((try? names(in: folder)) ?? []).filter { $0.hasPrefix(LayerKey.prefix(inputs)) }
      .compactMap { LayerKey($0) }
  }

  /// Takes a finished layer in: `private` holds its `tree`, and becomes the layer's folder.
  ///
  /// - Returns: the layer; where it lies already when another build made the same at the same time.
  func add(
    _ private: FilePath, as key: LayerKey, name: String, inputs: [StageInput],
    footprint: [Footprint.Place]?
  ) throws -> Layer {
    let seal = try Seal(of: `private`.appending("tree"))
    let record = LayerRecord(
      name: name, inputs: inputs, seal: seal.hash.hex, size: seal.size, boot: boot,
      footprint: footprint)
    try makeFolder(folder)
    try writeAtomically(
      Array(try JSONEncoder().encode(record)), to: recordFile(in: `private`))
    // Before others can see it.
    let lease = LayerLease(recordFile(in: `private`))
    let path = path(of: key)
    guard rename(`private`.string, path.string) == 0 else {
      let reason = Errno(rawValue: errno)
      guard [.fileExists, .directoryNotEmpty].contains(reason) else { throw reason }
      return Layer(name: name, key: key, tree: `private`.appending("tree"), lease: nil)
    }
    return Layer(name: name, key: key, tree: path.appending("tree"), lease: lease)
  }

  /// Waits until layers are on the disk, and notes it: from then on they count after a crash, too.
  func settle(_ layers: [Layer]) throws {
    let new = layers.filter {
      $0.lease != nil && !exists(path(of: $0.key).appending(LayerStore.writtenName))
    }
    guard !new.isEmpty else { return }
    let size = new.reduce(0) { $0 + (record(of: path(of: $1.key))?.size ?? 0) }
    if size > LayerStore.smallSize {
      let file = try FileDescriptor.open(folder, .readOnly, options: [.directory, .closeOnExec])
      try file.closeAfter {
        guard clinux_sync_file_system(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
      }
    } else {
      // What others have written to the disk is not ours to wait for.
      for layer in new { try synchroniseTree(path(of: layer.key)) }
    }
    for layer in new {
      try writeAtomically([], to: path(of: layer.key).appending(LayerStore.writtenName))
    }
  }

  func path(of key: LayerKey) -> FilePath { folder.appending(key.description) }

  /// The record of a layer's folder; nil when it is missing or not one of ours.
  func record(of path: FilePath) -> LayerRecord? {
    // Whatever is wrong with it, it is no record.
    guard let bytes = try? contents(of: recordFile(in: path)),
      let record = try? JSONDecoder().decode(LayerRecord.self, from: Data(bytes)),
      record.format == LayerRecord.currentFormat
    else { return nil }
    return record
  }

  func recordFile(in path: FilePath) -> FilePath { path.appending("layer.json") }

  private static let writtenName = "written"
  /// Up to so many bytes, file by file is faster than all at once.
  private static let smallSize = 16 << 20

  /// Removes a layer that is not as it should be, unless someone uses it.
  private func discard(_ path: FilePath, _ lease: LayerLease) throws {
    lease.release()
    try remove(path)
  }
}

/// Waits until all files and folders of a tree are on the disk.
private func synchroniseTree(_ folder: FilePath) throws {
  for name in try names(in: folder) {
    let path = folder.appending(name)
    var facts = stat()
    guard lstat(path.string, &facts) == 0 else { throw Errno(rawValue: errno) }
    switch facts.st_mode & S_IFMT {
    case S_IFDIR: try synchroniseTree(path)
    case S_IFREG:
      let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
      try file.closeAfter { try synchronise(file) }
    default: continue
    }
  }
  try synchroniseFolder(folder)
}

private func exists(_ path: FilePath) -> Bool { access(path.string, F_OK) == 0 }
