/// Bytes in a block of every image that we write.
let blockSize = 4096

/// What the empty file system looks like: what is free, and where tables are.
struct Geometry: Sendable, Equatable {
  var blockCount: UInt64
  var inodesPerGroup: UInt32
  var inodeCount: UInt32
  /// The first block of each group's inode table.
  var inodeTables: [UInt64]
  /// The blocks that nothing uses, ascending.
  var free: [Range<UInt64>]
  /// Starts the checksum of everything in the file system.
  var checksumSeed: UInt32
  /// Four numbers, as the superblock has them.
  var hashSeed: [UInt32]

  /// The blocks that are neither free nor in tables of inodes, ascending.
  var frame: [Range<UInt64>] {
    let tableBlocks = UInt64(inodesPerGroup) * UInt64(InodeRecord.size) / UInt64(blockSize)
    let others = (free + inodeTables.map { $0..<$0 + tableBlocks })
      .sorted { $0.lowerBound < $1.lowerBound }
    var ranges = [Range<UInt64>]()
    var end: UInt64 = 0
    for range in others {
      if end < range.lowerBound { ranges.append(end..<range.lowerBound) }
      end = range.upperBound
    }
    if end < blockCount { ranges.append(end..<blockCount) }
    return ranges
  }

  /// Inodes that files can have: all but the ten reserved ones.
  var availableInodes: Int { Int(inodeCount) - 10 }
}

/// A run of a file's blocks that lie together on the disk.
struct Extent: Sendable, Equatable {
  /// The first block's number in the file.
  var logical: UInt32
  var count: UInt32
  var physical: UInt64
}

/// Hands out free blocks from the front to the back.
struct BlockAllocator {
  private var ranges: ArraySlice<Range<UInt64>>

  /// What it can still hand out.
  var free: [Range<UInt64>] { Array(ranges) }

  /// ext4's longest extent of written blocks.
  static let longestExtent: UInt64 = 32768

  init(_ free: [Range<UInt64>]) { ranges = free[...] }

  /// Takes `count` blocks for a file's blocks from `logical` on; nil when there are not so many.
  mutating func take(_ count: Int, logical: Int = 0) -> [Extent]? {
    var (left, next) = (UInt64(count), UInt32(logical))
    var extents = [Extent]()
    while left > 0 {
      guard let range = ranges.first else { return nil }
      let length = min(left, UInt64(range.count), Self.longestExtent)
      extents.append(Extent(logical: next, count: UInt32(length), physical: range.lowerBound))
      ranges[ranges.startIndex] = range.lowerBound + length..<range.upperBound
      if ranges[ranges.startIndex].isEmpty { ranges.removeFirst() }
      left -= length
      next += UInt32(length)
    }
    return extents
  }

  /// Takes blocks that need not lie together.
  mutating func takeSingle(_ count: Int) -> [UInt64]? {
    take(count)?.flatMap { extent in (0..<UInt64(extent.count)).map { extent.physical + $0 } }
  }
}

/// How many blocks a journal has in a file system of so many blocks; 0: none. As mke2fs decides, but
/// never above 64 MiB.
func journalBlocks(forBlockCount count: UInt64) -> Int {
  switch count {
  case ..<2048: 0
  case ..<32768: 1024
  case ..<(256 << 10): 4096
  case ..<(512 << 10): 8192
  default: 16384
  }
}
