/// The tree by which an inode finds its blocks: up to four extents in the inode itself, else blocks
/// of extents, and blocks of pointers to them.
///
/// Format: the kernel's "ext4 Data Structures and Algorithms", chapter "Extent Tree".
struct ExtentTree {
  private static let entriesInInode = 4
  private static let entriesInBlock = (blockSize - 12 - 4) / 12

  /// How many blocks of its own the tree of so many extents has, level by level from the leaves.
  static func levels(forExtents count: Int) -> [Int] {
    var levels = [Int]()
    var entries = count
    while entries > entriesInInode {
      entries = (entries + entriesInBlock - 1) / entriesInBlock
      levels.append(entries)
    }
    return levels
  }

  /// What points to the things of a level: the first block in the file of each, and where it is.
  private struct Pointer {
    var logical: UInt32
    var physical: UInt64
  }

  var extents: ArraySlice<Extent>
  /// Where the tree's own blocks are, leaves first.
  var blocks: [UInt64]

  /// Writes the 60 bytes of the inode.
  func renderRoot(into map: UnsafeMutableRawBufferPointer) {
    let levels = Self.levels(forExtents: extents.count)
    if levels.isEmpty {
      renderLeaf(extents, limit: Self.entriesInInode, into: map)
    } else {
      let top = pointers(toLevel: levels.count - 1, levels)
      renderPointers(top[...], depth: levels.count, limit: Self.entriesInInode, into: map)
    }
  }

  /// Writes one of the tree's own blocks, into a zeroed block.
  func render(block index: Int, into block: UnsafeMutableRawBufferPointer, seed: UInt32) {
    let levels = Self.levels(forExtents: extents.count)
    var (level, place) = (0, index)
    while place >= levels[level] {
      place -= levels[level]
      level += 1
    }
    let first = place * Self.entriesInBlock
    if level == 0 {
      let slice = extents.dropFirst(first).prefix(Self.entriesInBlock)
      renderLeaf(slice, limit: Self.entriesInBlock, into: block)
    } else {
      let below = pointers(toLevel: level - 1, levels)
      renderPointers(
        below.dropFirst(first).prefix(Self.entriesInBlock), depth: level,
        limit: Self.entriesInBlock, into: block)
    }
    let end = 12 + 12 * Self.entriesInBlock
    block.put(checksum(seed, UnsafeRawBufferPointer(rebasing: block[..<end])), at: end)
  }

  private func pointers(toLevel level: Int, _ levels: [Int]) -> [Pointer] {
    var starts = extents.map(\.logical)
    for _ in 0...level {
      starts = stride(from: 0, to: starts.count, by: Self.entriesInBlock).map { starts[$0] }
    }
    let first = levels[..<level].reduce(0, +)
    return starts.enumerated().map { Pointer(logical: $1, physical: blocks[first + $0]) }
  }

  private func renderHeader(
    _ count: Int, limit: Int, depth: Int, into bytes: UnsafeMutableRawBufferPointer
  ) {
    bytes.put(UInt16(0xF30A), at: 0)
    bytes.put(UInt16(count), at: 2)
    bytes.put(UInt16(limit), at: 4)
    bytes.put(UInt16(depth), at: 6)
  }

  private func renderLeaf(
    _ extents: ArraySlice<Extent>, limit: Int, into bytes: UnsafeMutableRawBufferPointer
  ) {
    renderHeader(extents.count, limit: limit, depth: 0, into: bytes)
    for (offset, extent) in zip(stride(from: 12, to: bytes.count, by: 12), extents) {
      bytes.put(extent.logical, at: offset)
      bytes.put(UInt16(extent.count), at: offset + 4)
      bytes.put(UInt16(extent.physical >> 32), at: offset + 6)
      bytes.put(UInt32(truncatingIfNeeded: extent.physical), at: offset + 8)
    }
  }

  private func renderPointers(
    _ pointers: ArraySlice<Pointer>, depth: Int, limit: Int,
    into bytes: UnsafeMutableRawBufferPointer
  ) {
    renderHeader(pointers.count, limit: limit, depth: depth, into: bytes)
    for (offset, pointer) in zip(stride(from: 12, to: bytes.count, by: 12), pointers) {
      bytes.put(pointer.logical, at: offset)
      bytes.put(UInt32(truncatingIfNeeded: pointer.physical), at: offset + 4)
      bytes.put(UInt16(pointer.physical >> 32), at: offset + 8)
    }
  }
}
