internal import CLinux
internal import Dispatch
public import Model
internal import Synchronization
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Compares a disk with the table of its chunks: every chunk's hash, and that all else is zero.
///
/// Holes are not read.
///
/// - Parameters:
///   - size: what the disk's size must be, in bytes.
///   - jobs: how many threads read.
/// - Returns: what differs, ascending; empty when the disk is what the table says.
/// - Throws: `Errno`, or `CancellationError`.
public func damagedRanges(
  of disk: FilePath, by table: ChunkTable, size: Int, jobs: Int = 2,
  isCancelled: @escaping @Sendable () -> Bool = { Task.isCancelled }
) throws -> [Range<Int>] {
  let file = try FileDescriptor.open(disk, .readOnly, options: .closeOnExec)
  return try file.closeAfter {
    let found = Int(try file.seek(offset: 0, from: .end))
    guard found == size, (table.chunks.last?.range.upperBound ?? 0) <= size else {
      return [min(found, size)..<max(found, size, min(found, size) + 1)]
    }
    return try ChunkCheck(table, file, size: size).run(jobs: jobs, isCancelled)
  }
}

extension Manifest.Chunks {
  /// What a manifest says of a table that lies beside its disk.
  public init(_ table: ChunkTable) {
    let bytes = table.bytes
    self.init(
      layout: ChunkTable.layout, maxChunkSize: ChunkTable.longestChunk, count: table.chunks.count,
      dataBytes: table.dataBytes, tableFile: ChunkTable.fileName, tableSize: bytes.count,
      tableSha256: ContentHash(of: bytes))
  }
}

/// Threads take chunks, and the gaps before them, in turn.
private final class ChunkCheck: Sendable {
  private struct State {
    var next = 0
    var damaged: [Range<Int>] = []
    var failure: (any Error)?
  }

  private let table: ChunkTable
  private let file: FileDescriptor
  private let size: Int
  private let state = Mutex(State())

  init(_ table: ChunkTable, _ file: FileDescriptor, size: Int) {
    (self.table, self.file, self.size) = (table, file, size)
  }

  func run(jobs: Int, _ isCancelled: @Sendable () -> Bool) throws -> [Range<Int>] {
    DispatchQueue.concurrentPerform(iterations: max(1, jobs)) { _ in
      let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: ChunkTable.longestChunk, alignment: 4096)
      defer { buffer.deallocate() }
      do {
        while let place = take() {
          if isCancelled() { throw CancellationError() }
          let damaged = try damage(at: place, buffer)
          if !damaged.isEmpty { state.withLock { $0.damaged += damaged } }
        }
      } catch {
        state.withLock { $0.failure = $0.failure ?? error }
      }
    }
    let end = state.withLock { $0 }
    if let failure = end.failure { throw failure }
    return end.damaged.sorted { $0.lowerBound < $1.lowerBound }
  }

  private func take() -> Int? {
    state.withLock { state in
      guard state.failure == nil, state.next <= table.chunks.count else { return nil }
      defer { state.next += 1 }
      return state.next
    }
  }

  /// Looks at the gap before a chunk and at the chunk; behind the last chunk is a gap only.
  private func damage(
    at place: Int, _ buffer: UnsafeMutableRawBufferPointer
  ) throws -> [Range<Int>] {
    let start = place == 0 ? 0 : table.chunks[place - 1].range.upperBound
    guard place < table.chunks.count else { return try data(in: start..<size, buffer) }
    let chunk = table.chunks[place]
    let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[..<chunk.length])
    try fill(bytes, at: chunk.offset)
    var hasher = Hasher256()
    hasher.update(UnsafeRawBufferPointer(bytes))
    let isIntact = hasher.finish() == chunk.sha256
    return try data(in: start..<chunk.offset, buffer) + (isIntact ? [] : [chunk.range])
  }

  /// What in a range is not zero.
  private func data(
    in range: Range<Int>, _ buffer: UnsafeMutableRawBufferPointer
  ) throws -> [Range<Int>] {
    var found = [Range<Int>]()
    var position = range.lowerBound
    while position < range.upperBound {
      let start = Int(lseek(file.rawValue, off_t(position), CInt(clinux_seek_data)))
      // No more data; a file system that does not know about holes is read.
      if start < 0, errno == ENXIO { break }
      position = max(position, start)
      guard position < range.upperBound else { break }
      let end = min(range.upperBound, position + buffer.count)
      let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(end - position)])
      try fill(bytes, at: position)
      if bytes.contains(where: { $0 != 0 }) { found.append(position..<end) }
      position = end
    }
    return found
  }

  private func fill(_ bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < bytes.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[done...])
      let count = try file.read(fromAbsoluteOffset: Int64(offset + done), into: rest)
      guard count > 0 else { throw Errno.ioError }
      done += count
    }
  }
}
