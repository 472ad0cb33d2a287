internal import Content
internal import Dispatch
internal import Model
internal import Synchronization

/// Fills the blocks of a plan, hashes and writes them, window by window in the order of the disk.
///
/// Threads take windows in turn; each has a buffer of its own, and what they write does not overlap,
/// so neither the image nor the table of its chunks depends on their number.
final class ImagePump: Sendable {
  private struct State {
    var windows: Windows
    /// Where the windows that threads work on begin, with the gaps before them.
    var inWork: [UInt64] = []
    var isDone = false
    var done = 0
    var chunks: [ChunkTable.Chunk] = []
    var dataBlocks = 0
    var known = KnownChunks()
    var failure: (any Error)?
  }

  /// What was written.
  struct Written {
    /// Empty unless it is hashed.
    var table: ChunkTable
    /// Blocks of the disk that are not zero.
    var dataBlocks: Int
    /// What of it needs not be hashed again.
    var known: KnownChunks

    /// Bytes of the blocks that are not zero.
    var allocatedSize: Int64 { Int64(dataBlocks * blockSize) }
  }

  private let plan: ImagePlan
  private let file: ImageFile
  /// What an older image was made of; nil: nobody wants to know that of this one either.
  private let known: KnownChunks?
  private let isHashed: Bool
  private let state: Mutex<State>
  /// Signalled when more of the disk is ready, or nothing more will come.
  private let progress = DispatchSemaphore(value: 0)
  private let events: EventSink
  private let isCancelled: @Sendable () -> Bool

  init(
    _ plan: ImagePlan, to file: ImageFile, known: KnownChunks?, isHashed: Bool,
    events: @escaping EventSink, isCancelled: @escaping @Sendable () -> Bool
  ) {
    self.plan = plan
    self.file = file
    self.known = known
    self.isHashed = isHashed
    self.events = events
    self.isCancelled = isCancelled
    state = Mutex(State(windows: Windows(plan.pieces, starts: plan.layout.starts)))
  }

  /// Writes everything; returns when all threads have ended.
  ///
  /// - Throws: the first failure of any thread, or `CancellationError`.
  func run(jobs: Int) throws -> Written {
    DispatchQueue.concurrentPerform(iterations: max(1, jobs)) { _ in work() }
    do {
      if let failure = state.withLock({ $0.failure }) { throw failure }
      let end = state.withLock { $0.windows.frontier }
      try file.clear(blocks: end..<plan.geometry.blockCount)
      stop(after: nil)
      return try state.withLock {
        Written(
          table: try ChunkTable($0.chunks.sorted { $0.offset < $1.offset }),
          dataBlocks: $0.dataBlocks, known: $0.known)
      }
    } catch {
      stop(after: error)
      throw error
    }
  }

  /// Bytes for which it is worth to look at the file while it is written: both wait for each other.
  private static let batch = 16 << 20

  /// Waits until a good deal more of the disk than `position` is as it will be.
  ///
  /// - Returns: up to where, in bytes; nil when the work has failed. One thread may ask.
  func ready(after position: Int) -> Int? {
    let enough = min(position + Self.batch, Int(plan.geometry.blockCount) * blockSize)
    while true {
      let (end, hasFailed) = state.withLock { state in
        let blocks =
          state.isDone
          ? plan.geometry.blockCount : state.inWork.min() ?? state.windows.frontier
        return (Int(blocks) * blockSize, state.failure != nil)
      }
      if hasFailed { return nil }
      if end >= enough { return end }
      progress.wait()
    }
  }

  private func stop(after failure: (any Error)?) {
    state.withLock { state in
      state.isDone = true
      state.failure = state.failure ?? failure
    }
    progress.signal()
  }

  private func work() {
    let size = Int(Windows.longest) * blockSize
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: blockSize)
    let scratch = UnsafeMutableRawBufferPointer.allocate(
      byteCount: file.isClone ? size : blockSize, alignment: blockSize)
    defer {
      buffer.deallocate()
      scratch.deallocate()
    }
    var filler = WindowFiller(plan)
    do {
      while let window = take() {
        if isCancelled() { throw CancellationError() }
        try file.clear(blocks: window.gapStart..<window.start)
        let key = known == nil ? nil : filler.key(of: window)
        let chunk = key.flatMap { known?[$0] }
        if let key, let chunk, file.isKnown, known?.holds(key, at: window.start) == true {
          finish(window, chunk, key)
          continue
        }
        let bytes = UnsafeMutableRawBufferPointer(
          rebasing: buffer[..<(Int(window.blocks) * blockSize)])
        try filler.fill(bytes, for: window)
        let zeros = zeroBlocks(of: bytes)
        try file.write(bytes, zeros: zeros, at: window.start, scratch: scratch)
        finish(window, chunk ?? self.chunk(bytes, dataBlocks: zeros.count { !$0 }), key)
      }
    } catch {
      state.withLock { $0.failure = $0.failure ?? error }
    }
  }

  private func chunk(
    _ bytes: UnsafeMutableRawBufferPointer, dataBlocks: Int
  ) -> KnownChunks.Chunk {
    guard dataBlocks > 0, isHashed else {
      return KnownChunks.Chunk(sha256: .zero, dataBlocks: UInt32(dataBlocks))
    }
    var hasher = Hasher256()
    hasher.update(UnsafeRawBufferPointer(bytes))
    return KnownChunks.Chunk(sha256: hasher.finish().words, dataBlocks: UInt32(dataBlocks))
  }

  private func take() -> Window? {
    state.withLock { state in
      guard state.failure == nil, let window = state.windows.next() else { return nil }
      state.inWork.append(window.gapStart)
      return window
    }
  }

  private func finish(_ window: Window, _ chunk: KnownChunks.Chunk, _ key: KnownChunks.Key?) {
    let done = state.withLock { state in
      state.inWork.removeAll { $0 == window.gapStart }
      state.done += Int(window.blocks) * blockSize
      state.dataBlocks += Int(chunk.dataBlocks)
      if chunk.dataBlocks > 0, isHashed {
        state.chunks.append(
          ChunkTable.Chunk(
            offset: Int(window.start) * blockSize, length: Int(window.blocks) * blockSize,
            sha256: ContentHash(chunk.sha256)))
      }
      if let key { state.known.note(key, chunk, at: window.start) }
      return state.done
    }
    progress.signal()
    events(.advanced(.image, done: done, subject: ""))
  }
}
