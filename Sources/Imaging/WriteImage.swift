public import Model
internal import Synchronization
public import SystemPackage

/// Writes an ext4 image that holds a tree: the same tree and options, the same bytes.
///
/// The file is sparse, and on the disk when this returns. Publishing it under its name, and making
/// its folder durable, is the caller's business: `path` should be a temporary name on the same disk.
///
/// - Parameters:
///   - path: the file to make; it must not exist.
///   - base: an older image. Where the file system lets files share blocks, the new image shares with it
///     what is the same; elsewhere, and for the bytes of the image, it makes no difference.
///   - known: what that image, or another, was made of; it makes no difference for the bytes either. Nil:
///     nothing is known, and what this one is made of is not noted.
///   - events: gets `.began`, `.advanced` and `.ended` of the phases `.image` and `.hash`, in bytes.
///   - isCancelled: asked often, from several threads; a cancelled task counts as well.
/// - Throws: `ImagingFailure`, or `CancellationError`. No file stays behind.
public func writeImage(
  of tree: consuming Tree, to path: FilePath, options: ImageOptions, base: FilePath? = nil,
  known: KnownChunks? = nil, events: @escaping EventSink = { _ in },
  isCancelled: @escaping @Sendable () -> Bool = { false }
) throws -> ImageFacts {
  let draft = try ImageDraft(tree, options)
  return try withTaskCancellation(isCancelled) { isCancelled in
    let file = try NewImage(draft, to: path, base: base, known: known, events, isCancelled)
    return try file.finish()
  }
}

/// Writes an ext4 image like `writeImage`, with the same bytes, and hashes none of them.
///
/// - Returns: bytes of the blocks that are not zero.
public func writeUnhashedImage(
  of tree: consuming Tree, to path: FilePath, options: ImageOptions, base: FilePath? = nil,
  events: @escaping EventSink = { _ in }, isCancelled: @escaping @Sendable () -> Bool = { false }
) throws -> Int64 {
  let draft = try ImageDraft(tree, options)
  return try withTaskCancellation(isCancelled) { isCancelled in
    let file = try NewImage(
      draft, to: path, base: base, known: nil, isHashed: false, events, isCancelled)
    return file.keep()
  }
}

/// Writes an ext4 image like the function without `meanwhile`, which it calls when the image is complete
/// and on the disk, while the hash of the whole file is still being computed.
///
/// - Returns: with what `meanwhile` returns.
/// - Throws: what `meanwhile` throws, too.
public func writeImage<Value>(
  of tree: consuming Tree, to path: FilePath, options: ImageOptions, base: FilePath? = nil,
  known: KnownChunks? = nil, events: @escaping EventSink = { _ in },
  meanwhile: () async throws -> Value
) async throws -> (ImageFacts, Value) {
  let draft = try ImageDraft(tree, options)
  let stop = StopSign()
  return try await withTaskCancellationHandler {
    let file = try NewImage(draft, to: path, base: base, known: known, events) { stop.isSet }
    let value = try await meanwhile()
    return (try file.finish(), value)
  } onCancel: {
    stop.set()
  }
}

/// Tells threads that nobody waits for them any more.
private final class StopSign: Sendable {
  private let flag = Atomic(false)
  var isSet: Bool { flag.load(ordering: .relaxed) }
  func set() { flag.store(true, ordering: .relaxed) }
}

/// An image that is complete and on the disk, and may still be being hashed; gone unless it is finished or kept.
private struct NewImage: ~Copyable {
  private let file: ImageFile
  private let writer: ImageWriter
  private let written: ImagePump.Written
  private var isFinished = false

  init(
    _ draft: ImageDraft, to path: FilePath, base: FilePath?, known: KnownChunks?,
    isHashed: Bool = true, _ events: @escaping EventSink,
    _ isCancelled: @escaping @Sendable () -> Bool
  ) throws {
    let file = try ImageFile.create(path, size: draft.options.size, base: base, known: known)
    do {
      let writer = ImageWriter(
        draft, file, known: known, isHashed: isHashed, events, isCancelled)
      (self.file, self.writer, written) = (file, writer, try writer.write())
    } catch {
      file.discard()
      throw error
    }
  }

  /// Waits for the hash.
  consuming func finish() throws -> ImageFacts {
    let facts = try writer.finish(written)
    isFinished = true
    return facts
  }

  /// Bytes of the blocks that are not zero.
  consuming func keep() -> Int64 {
    isFinished = true
    return written.allocatedSize
  }

  deinit {
    writer.stop()
    if isFinished { file.close() } else { file.discard() }
  }
}

/// An image that is thought out, but not written.
struct ImageDraft: Sendable {
  var options: ImageOptions
  var plan: ImagePlan
  /// But for what only the written image tells.
  var freeBlocks: Int64
  var freeInodes: Int
  var journalBlocks: Int

  init(_ tree: consuming Tree, _ options: ImageOptions) throws(ImagingFailure) {
    try check(options)
    let frame = try Frame(size: options.size)
    let volume = try Ext4Volume.make(on: frame.descriptor, path: "in memory", options: options)
    let geometry = volume.geometry()
    let demand = try Demand(tree, hashSeed: geometry.hashSeed, epoch: options.epoch)
    let layout = try layOut(demand, in: geometry)
    journalBlocks = layout.journal.reduce(0) { $0 + Int($1.count) }
    var journalStart = [UInt8]()
    if journalBlocks > 0 {
      let map = blockMap(of: layout.journal, blocks: layout.journalExtentBlocks)
      journalStart = try volume.addJournal(map: map, blocks: journalBlocks)
    }
    self.options = options
    plan = ImagePlan(
      demand: demand, layout: layout, geometry: geometry, epoch: options.epoch,
      resizeInode: try volume.resizeInode(), journalStart: journalStart, frame: frame)
    volume.claim(plan)
    (freeBlocks, freeInodes) = try volume.finish()
  }
}

extension Ext4Volume {
  /// Marks everything of a plan as used.
  fileprivate func claim(_ plan: ImagePlan) {
    claim(plan.layout.journal)
    for node in plan.demand.tree.nodes.indices { claim(plan.layout.extents[node]) }
    let single =
      plan.layout.journalExtentBlocks + plan.layout.extentBlocks.values.joined()
      + plan.layout.xattrBlocks.values
    claim(single.map { Extent(logical: 0, count: 1, physical: $0) })
    // The first ten are taken from the start.
    for (node, inode) in plan.layout.inodes.enumerated() where inode > 10 {
      claim(inode: inode, isDirectory: plan.demand.tree.nodes[node].kind == .directory)
    }
  }
}

private func check(_ options: ImageOptions) throws(ImagingFailure) {
  guard options.size % Int64(blockSize) == 0, (8 << 20...16 << 40).contains(options.size) else {
    throw .unusableOption(
      "cannot make an image of \(options.size) bytes: from 8 MiB to 16 TiB in steps of 4096 bytes")
  }
  guard options.label.utf8.count <= 16 else {
    throw .unusableOption("label '\(options.label)' is too long: ext4 allows 16 bytes")
  }
  if let count = options.inodeCount, !(1...Int(UInt32.max) - 16).contains(count) {
    throw .unusableOption("cannot make an image with \(count) inodes")
  }
}

/// Calls `body` with a question that other threads can ask: whether the caller, or the task that we
/// run in, was cancelled.
func withTaskCancellation<Result>(
  _ isCancelled: @escaping @Sendable () -> Bool,
  _ body: (@escaping @Sendable () -> Bool) throws -> Result
) rethrows -> Result {
  try withUnsafeCurrentTask { task in
    guard let task else { return try body(isCancelled) }
    // Asking a task from another thread whether it is cancelled is allowed while it runs, and it
    // runs until this function returns.
    nonisolated(unsafe) let asked = task
    return try body { isCancelled() || asked.isCancelled }
  }
}
