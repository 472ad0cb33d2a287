internal import Model

/// Writes inodes: 256 bytes each.
///
/// Format: the kernel's "ext4 Data Structures and Algorithms", chapter "Index Nodes".
struct InodeRecord {
  var node: Tree.Node
  var number: UInt32
  /// How many names it has; a folder counts itself and the folders in it.
  var links: UInt32
  /// Bytes of content; for a folder, those of its blocks.
  var size: Int64
  /// Blocks of all kinds that belong to it.
  var blocks: Int64
  /// Nil where the map of blocks holds something else.
  var extents: ExtentTree?
  var isIndexed: Bool
  var xattrs: XattrLayout?
  var xattrBlock: UInt64

  static let size = 256
  private static let extentsFlag: UInt32 = 0x8_0000
  private static let indexFlag: UInt32 = 0x1000

  /// - Parameters:
  ///   - record: 256 zeroed bytes.
  ///   - seed: the inode's own checksum seed.
  func render(into record: UnsafeMutableRawBufferPointer, seed: UInt32) {
    record.put(typeBits | node.mode & 0o7777, at: 0)
    record.put(UInt16(truncatingIfNeeded: node.uid), at: 2)
    record.put(UInt32(truncatingIfNeeded: size), at: 4)
    record.put(UInt16(truncatingIfNeeded: node.gid), at: 24)
    // A folder with too many folders in it has a count of 1: 'dir_nlink'.
    record.put(UInt16(links > 65000 ? 1 : links), at: 26)
    record.put(UInt32(truncatingIfNeeded: blocks * 8), at: 28)
    let flags = (extents == nil ? 0 : Self.extentsFlag) | (isIndexed ? Self.indexFlag : 0)
    record.put(flags, at: 32)
    renderMap(into: UnsafeMutableRawBufferPointer(rebasing: record[40..<100]))
    record.put(UInt32(truncatingIfNeeded: xattrBlock), at: 104)
    record.put(UInt32(truncatingIfNeeded: size >> 32), at: 108)
    record.put(UInt16(truncatingIfNeeded: (blocks * 8) >> 32), at: 116)
    record.put(UInt16(truncatingIfNeeded: xattrBlock >> 32), at: 118)
    record.put(UInt16(truncatingIfNeeded: node.uid >> 16), at: 120)
    record.put(UInt16(truncatingIfNeeded: node.gid >> 16), at: 122)
    record.put(UInt16(32), at: 128)
    let modified = diskTime(node.modified)
    // Access, change, modification, birth; only the third is part of a tree.
    for (low, high) in [(8, 140), (12, 132), (16, 136), (144, 148)] {
      record.put(modified.low, at: low)
      record.put(modified.high, at: high)
    }
    if let xattrs { record.put(xattrs.inInode, at: 160) }
    Self.seal(record, seed: seed)
  }

  /// Puts the checksum into a record that is otherwise ready.
  static func seal(_ record: UnsafeMutableRawBufferPointer, seed: UInt32) {
    record.put(UInt16(0), at: 124)
    record.put(UInt16(0), at: 130)
    let sum = checksum(seed, UnsafeRawBufferPointer(record))
    record.put(UInt16(truncatingIfNeeded: sum), at: 124)
    record.put(UInt16(truncatingIfNeeded: sum >> 16), at: 130)
  }

  private func renderMap(into map: UnsafeMutableRawBufferPointer) {
    if let extents { return extents.renderRoot(into: map) }
    switch node.kind {
    case .symlink(let target): map.put(target, at: 0)
    case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
      if major < 256, minor < 256 {
        map.put(major << 8 | minor, at: 0)
      } else {
        map.put(minor & 0xFF | major << 8 | (minor & ~0xFF) << 12, at: 4)
      }
    case .directory, .file, .fifo, .socket: break
    }
  }

  private var typeBits: UInt16 {
    switch node.kind {
    case .fifo: 0o010000
    case .characterDevice: 0o020000
    case .directory: 0o040000
    case .blockDevice: 0o060000
    case .file: 0o100000
    case .symlink: 0o120000
    case .socket: 0o140000
    }
  }
}

/// A time as ext4 keeps it: the low 32 bits, and a word of nanoseconds with two more bits of seconds
/// at its end. Times out of range (1901 to 2446) become the nearest that there is, as in the kernel.
func diskTime(_ time: Tree.Time) -> (low: UInt32, high: UInt32) {
  let earliest = Int64(Int32.min)
  let latest = Int64(Int32.max) + (3 << 32)
  if time.seconds < earliest { return diskTime(Tree.Time(seconds: earliest)) }
  if time.seconds > latest { return diskTime(Tree.Time(seconds: latest)) }
  let low = UInt32(truncatingIfNeeded: time.seconds)
  let epoch = UInt32(truncatingIfNeeded: (time.seconds - Int64(Int32(bitPattern: low))) >> 32)
  return (low, time.nanoseconds << 2 | epoch & 3)
}
