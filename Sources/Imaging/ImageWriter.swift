internal import Dispatch
internal import Model
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// Writes a draft to a file and, when it is to be hashed, hashes the whole file behind the writing.
final class ImageWriter: Sendable {
  private let draft: ImageDraft
  private let file: ImageFile
  private let events: EventSink
  private let isCancelled: @Sendable () -> Bool
  private let pump: ImagePump
  private let isHashed: Bool
  /// Whether hashing is all that is left, and shows its progress; whether it shall end early.
  private let hashing = Mutex((isAlone: false, isUnwanted: false))
  private let digest = Mutex<Result<ContentHash, any Error>?>(nil)
  private let follower = DispatchGroup()

  init(
    _ draft: ImageDraft, _ file: ImageFile, known: KnownChunks?, isHashed: Bool,
    _ events: @escaping EventSink, _ isCancelled: @escaping @Sendable () -> Bool
  ) {
    self.draft = draft
    self.file = file
    self.events = events
    self.isCancelled = isCancelled
    self.isHashed = isHashed
    pump = ImagePump(
      draft.plan, to: file, known: known, isHashed: isHashed, events: events,
      isCancelled: isCancelled)
  }

  /// Writes everything; the image is on the disk when this returns, and may still be being hashed.
  func write() throws -> ImagePump.Written {
    events(.began(.image, total: draft.plan.byteCount, unit: .bytes))
    if isHashed { DispatchQueue.global().async(group: follower) { self.follow() } }
    do {
      // One of the threads hashes, which takes as long as the writing and waits for it.
      let written = try pump.run(jobs: draft.options.jobs - (isHashed ? 1 : 0))
      guard fsync(file.descriptor) == 0 else {
        throw ImagingFailure.cannotWrite(path: file.path, operation: "sync", reason: lastError())
      }
      if isCancelled() { throw CancellationError() }
      events(.ended(.image))
      return written
    } catch {
      stop()
      throw error
    }
  }

  /// Waits until all is hashed.
  ///
  /// - Parameter written: what `write` returned.
  func finish(_ written: ImagePump.Written) throws -> ImageFacts {
    events(.began(.hash, total: Int(draft.options.size), unit: .bytes))
    hashing.withLock { $0.isAlone = true }
    follower.wait()
    guard let sha256 = try digest.withLock({ try $0?.get() }) else { throw CancellationError() }
    events(.ended(.hash))
    return facts(written, sha256)
  }

  /// Ends the hashing, if it is not at its end, and waits for that: the file can be closed then.
  func stop() {
    hashing.withLock { $0.isUnwanted = true }
    follower.wait()
  }

  /// Hashes what is written, as far as it is, to the end of the disk.
  private func follow() {
    let result = Result {
      try Imaging.digest(
        of: file.descriptor, path: file.path, size: Int(draft.options.size)
      ) { position in
        let hashing = hashing.withLock { $0 }
        if hashing.isUnwanted || isCancelled() { throw CancellationError() }
        if hashing.isAlone { events(.advanced(.hash, done: position, subject: "")) }
        guard let end = pump.ready(after: position) else { throw CancellationError() }
        return end
      }
    }
    digest.withLock { $0 = result }
  }

  private func facts(
    _ written: ImagePump.Written, _ sha256: ContentHash
  ) -> ImageFacts {
    let (options, geometry) = (draft.options, draft.plan.geometry)
    return ImageFacts(
      uuid: options.uuid, hashSeed: options.hashSeed, label: options.label, size: options.size,
      allocatedSize: written.allocatedSize, blockSize: blockSize,
      blockCount: Int64(geometry.blockCount), freeBlocks: draft.freeBlocks,
      inodeSize: InodeRecord.size, inodeCount: Int(geometry.inodeCount),
      freeInodes: draft.freeInodes, journalBlocks: draft.journalBlocks,
      features: features(hasJournal: draft.journalBlocks > 0), chunks: written.table,
      sha256: sha256, isClone: file.isClone, known: written.known)
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
