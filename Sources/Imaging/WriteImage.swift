public import Model
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Writes an ext4 image that holds a tree: the same tree and options, the same bytes.
///
/// The file is sparse, and on the disk when this returns. Publishing it under its name, and making
/// its folder durable, is the caller's business: `path` should be a temporary name on the same disk.
///
/// - Parameters:
///   - path: the file to make; it must not exist.
///   - events: gets `.began`, `.advanced` and `.ended` of the phase `.image`, in bytes.
///   - isCancelled: asked often, from several threads; a cancelled task counts as well.
/// - Throws: `ImagingFailure`, or `CancellationError`. No file stays behind then.
public func writeImage(
  of tree: Tree, to path: FilePath, options: ImageOptions, events: @escaping EventSink = { _ in },
  isCancelled: @escaping @Sendable () -> Bool = { false }
) throws -> ImageFacts {
  try check(options)
  let descriptor = open(path.string, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
  guard descriptor >= 0 else {
    throw ImagingFailure.cannotWrite(
      path: path.string, operation: "create", reason: lastError())
  }
  var isFinished = false
  defer {
    // After fsync, closing has nothing left to report.
    close(descriptor)
    if !isFinished { unlink(path.string) }
  }
  guard ftruncate(descriptor, off_t(options.size)) == 0 else {
    throw ImagingFailure.cannotWrite(path: path.string, operation: "size", reason: lastError())
  }
  let facts = try withTaskCancellation(isCancelled) { isCancelled in
    try write(
      tree, to: descriptor, path: path.string, options: options, events: events,
      isCancelled: isCancelled)
  }
  isFinished = true
  return facts
}

private func write(
  _ tree: Tree, to descriptor: CInt, path: String, options: ImageOptions,
  events: @escaping EventSink, isCancelled: @escaping @Sendable () -> Bool
) throws -> ImageFacts {
  let volume = try Ext4Volume.make(on: descriptor, path: path, options: options)
  let geometry = volume.geometry()
  let demand = try Demand(tree, hashSeed: geometry.hashSeed, epoch: options.epoch)
  let layout = try canonicalLayout(of: demand, in: geometry)
  let journalBlocks = layout.journal.reduce(0) { $0 + Int($1.count) }
  var journalStart = [UInt8]()
  if journalBlocks > 0 {
    let map = blockMap(of: layout.journal, blocks: layout.journalExtentBlocks)
    journalStart = try volume.addJournal(map: map, blocks: journalBlocks)
  }
  let plan = ImagePlan(
    demand: demand, layout: layout, geometry: geometry, epoch: options.epoch,
    resizeInode: try volume.resizeInode(), journalStart: journalStart)

  events(.began(.image, total: plan.byteCount, unit: .bytes))
  try ImagePump(plan, to: descriptor, path: path, events: events, isCancelled: isCancelled)
    .run(jobs: options.jobs)
  volume.claim(plan)
  let (freeBlocks, freeInodes) = try volume.finish()
  guard fsync(descriptor) == 0 else {
    throw ImagingFailure.cannotWrite(path: path, operation: "sync", reason: lastError())
  }
  if isCancelled() { throw CancellationError() }
  var status = stat()
  guard fstat(descriptor, &status) == 0 else {
    throw ImagingFailure.cannotWrite(path: path, operation: "examine", reason: lastError())
  }
  events(.ended(.image))
  return ImageFacts(
    uuid: options.uuid, hashSeed: options.hashSeed, label: options.label, size: options.size,
    allocatedSize: Int64(status.st_blocks) * 512, blockSize: blockSize,
    blockCount: Int64(geometry.blockCount), freeBlocks: freeBlocks, inodeSize: InodeRecord.size,
    inodeCount: Int(geometry.inodeCount), freeInodes: freeInodes, journalBlocks: journalBlocks,
    features: features(hasJournal: journalBlocks > 0))
}

extension Ext4Volume {
  /// Marks everything of a plan as used.
  fileprivate func claim(_ plan: ImagePlan) {
    claim(plan.layout.journal)
    claim(plan.layout.extents)
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

/// What a kernel must know, by ext4's names. It is the same for every image but for the journal,
/// which a very small one lacks. Left out with intent: 'orphan_file' and 'metadata_csum_seed', which
/// kernels before 5.15 and older boot loaders refuse.
private func features(hasJournal: Bool) -> [String] {
  [
    "64bit", "dir_index", "dir_nlink", "ext_attr", "extent", "extra_isize", "filetype", "flex_bg",
  ] + (hasJournal ? ["has_journal"] : []) + [
    "huge_file", "large_file", "metadata_csum", "resize_inode", "sparse_super",
  ]
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
