internal import CLinux
internal import Dispatch
internal import Model
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// Fills the blocks of a plan and writes them, window by window in the order of the disk.
///
/// Threads take windows in turn; each has a buffer of its own, and what they write does not overlap,
/// so the image does not depend on their number.
final class ImagePump: Sendable {
  private struct State {
    var windows: Windows
    var done = 0
    var failure: (any Error)?
  }

  /// Large enough to keep the disk busy, small enough to stay in the processor's cache.
  private static let windowBlocks: UInt32 = 1024
  /// Shorter runs of zeros are written: a hole would cost more than it saves.
  private static let shortestHole = 4

  private let plan: ImagePlan
  private let descriptor: CInt
  private let path: String
  private let state: Mutex<State>
  private let events: EventSink
  private let isCancelled: @Sendable () -> Bool

  init(
    _ plan: ImagePlan, to descriptor: CInt, path: String, events: @escaping EventSink,
    isCancelled: @escaping @Sendable () -> Bool
  ) {
    self.plan = plan
    self.descriptor = descriptor
    self.path = path
    self.events = events
    self.isCancelled = isCancelled
    state = Mutex(State(windows: Windows(plan.pieces, limit: Self.windowBlocks)))
  }

  /// Writes everything; returns when all threads have ended.
  ///
  /// - Throws: the first failure of any thread, or `CancellationError`.
  func run(jobs: Int) throws {
    DispatchQueue.concurrentPerform(iterations: max(1, jobs)) { _ in work() }
    if let failure = state.withLock({ $0.failure }) { throw failure }
  }

  private func work() {
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: Int(Self.windowBlocks) * blockSize, alignment: blockSize)
    defer { buffer.deallocate() }
    var reader = ContentReader(plan.demand.tree)
    do {
      while let window = nextWindow() {
        if isCancelled() { throw CancellationError() }
        let bytes = UnsafeMutableRawBufferPointer(
          rebasing: buffer[..<(Int(window.blocks) * blockSize)])
        try fill(bytes, for: window, with: &reader)
        try write(bytes, at: window.start)
        let done = state.withLock { state in
          state.done += bytes.count
          return state.done
        }
        events(.advanced(.image, done: done, subject: ""))
      }
    } catch {
      state.withLock { $0.failure = $0.failure ?? error }
    }
  }

  private func nextWindow() -> Window? {
    state.withLock { $0.failure == nil ? $0.windows.next() : nil }
  }

  // MARK: - Filling

  private func fill(
    _ bytes: UnsafeMutableRawBufferPointer, for window: Window, with reader: inout ContentReader
  ) throws(ImagingFailure) {
    var start = 0
    for slice in window.slices {
      let end = start + Int(slice.count) * blockSize
      try fill(UnsafeMutableRawBufferPointer(rebasing: bytes[start..<end]), slice, with: &reader)
      start = end
    }
  }

  private func fill(
    _ bytes: UnsafeMutableRawBufferPointer, _ slice: Window.Slice, with reader: inout ContentReader
  ) throws(ImagingFailure) {
    let piece = plan.pieces[slice.piece]
    if case .data(let node, let from) = piece.content {
      guard case .file(let file) = plan.demand.tree.nodes[node].kind else { return }
      let offset = Int64(from + slice.offset) * Int64(blockSize)
      let left = file.size - offset
      if left < bytes.count { UnsafeMutableRawBufferPointer(rebasing: bytes[Int(left)...]).zero() }
      return try reader.read(node: node, file: file, from: offset, into: bytes)
    }
    bytes.zero()
    for index in 0..<Int(slice.count) {
      let block = UnsafeMutableRawBufferPointer(
        rebasing: bytes[(index * blockSize)..<((index + 1) * blockSize)])
      render(piece, block: slice.offset + UInt32(index), into: block)
    }
  }

  private func render(
    _ piece: ImagePlan.Piece, block: UInt32, into bytes: UnsafeMutableRawBufferPointer
  ) {
    switch piece.content {
    case .data: break
    case .directory(let index, let from):
      plan.renderDirectory(index, block: from + block, into: bytes)
    case .symlink(let node):
      if case .symlink(let target) = plan.demand.tree.nodes[node].kind { bytes.put(target, at: 0) }
    case .xattrs(let node): plan.renderXattrs(of: node, at: piece.start, into: bytes)
    case .extents(let node, let index): plan.renderExtents(of: node, block: index, into: bytes)
    case .inodes(let first):
      plan.renderInodes(
        from: first + block * UInt32(blockSize / InodeRecord.size), into: bytes)
    case .journal: bytes.put(plan.journalStart, at: 0)
    }
  }

  // MARK: - Writing

  /// Writes what is not zero; runs of zeros stay holes in the image's file.
  private func write(
    _ bytes: UnsafeMutableRawBufferPointer, at block: UInt64
  ) throws(ImagingFailure) {
    let blocks = bytes.count / blockSize
    var (start, zeros) = (0, 0)
    for index in 0...blocks {
      if index < blocks, isZero(bytes, block: index) {
        zeros += 1
        continue
      }
      // A long run of zeros or the end closes what came before.
      if zeros >= Self.shortestHole || index == blocks {
        try write(bytes, start..<(index - zeros), at: block)
        start = index
      }
      zeros = 0
    }
    clinux_start_writeback(descriptor, Int(block) * blockSize, bytes.count)
  }

  private func write(
    _ bytes: UnsafeMutableRawBufferPointer, _ blocks: Range<Int>, at block: UInt64
  ) throws(ImagingFailure) {
    var range = (blocks.lowerBound * blockSize)..<(blocks.upperBound * blockSize)
    while !range.isEmpty {
      let count = pwrite(
        descriptor, bytes.baseAddress?.advanced(by: range.lowerBound), range.count,
        off_t(block) * off_t(blockSize) + off_t(range.lowerBound))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        throw .cannotWrite(path: path, operation: "write", reason: lastError())
      }
      range = (range.lowerBound + count)..<range.upperBound
    }
  }
}

private func isZero(_ bytes: UnsafeMutableRawBufferPointer, block: Int) -> Bool {
  let words = UnsafeRawBufferPointer(
    rebasing: bytes[(block * blockSize)..<((block + 1) * blockSize)])
  return words.withMemoryRebound(to: UInt64.self) { words in
    // Most blocks show at once that they are not empty.
    if words[0] != 0 || words[words.count - 1] != 0 { return false }
    var all: UInt64 = 0
    for word in words { all |= word }
    return all == 0
  }
}
