public import Model
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// An image read back: its names and nodes, and where the contents of its files lie.
///
/// The content of a file is asked of this, not of the tree, whose files have none.
public struct ImageContents: Sendable {
  public let facts: VolumeFacts
  public let tree: Tree
  /// Nodes that the file system keeps for itself, such as `lost+found`, are part of the tree.
  let extents: [[Extent]]
  let file: OpenFile

  /// Reads a file's bytes from an offset on; holes are zeros.
  ///
  /// - Returns: how many bytes there are, at most the buffer's length.
  public func read(
    _ node: Int, from offset: Int64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(ImagingFailure) -> Int {
    guard case .file(let content) = tree.nodes[node].kind, offset < content.size else { return 0 }
    let count = Int(min(Int64(buffer.count), content.size - offset))
    let end = offset + Int64(count)
    let size = Int64(facts.blockSize)
    UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]).zero()
    for extent in extents[node] {
      let first = Int64(extent.logical) * size
      let last = first + Int64(extent.count) * size
      let (from, to) = (max(first, offset), min(last, end))
      guard from < to else { continue }
      try fill(
        UnsafeMutableRawBufferPointer(rebasing: buffer[Int(from - offset)..<Int(to - offset)]),
        at: Int64(extent.physical) * size + from - first)
    }
    return count
  }

  /// The first bytes of a file, at most `limit`; none of anything else.
  public func start(of node: Int, limit: Int) throws(ImagingFailure) -> [UInt8] {
    guard case .file(let content) = tree.nodes[node].kind else { return [] }
    var bytes = [UInt8](repeating: 0, count: Int(min(Int64(limit), content.size)))
    let result = bytes.withUnsafeMutableBytes { buffer in
      Result { () throws(ImagingFailure) in try read(node, from: 0, into: buffer) }
    }
    _ = try result.get()
    return bytes
  }

  private func fill(
    _ buffer: UnsafeMutableRawBufferPointer, at offset: Int64
  ) throws(ImagingFailure) {
    try Imaging.fill(buffer, from: file.descriptor, at: offset, path: file.name)
  }
}

/// Fills a buffer from an image.
private func fill(
  _ buffer: UnsafeMutableRawBufferPointer, from descriptor: CInt, at offset: Int64, path: String
) throws(ImagingFailure) {
  let count: Int
  do { count = try readFully(descriptor, at: offset, into: buffer) } catch {
    throw .cannotRead(path: path, operation: "read", reason: error.description)
  }
  guard count == buffer.count else {
    throw .cannotRead(
      path: path, operation: "read", reason: "it ends before its file system does")
  }
}

/// Reads an ext2, ext3 or ext4 image without mounting it, and without writing to it.
///
/// - Throws: `ImagingFailure` when it cannot be read, or is damaged so that names are lost.
public func readImage(at path: FilePath) throws(ImagingFailure) -> ImageContents {
  let descriptor = open(path.string, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else {
    throw .cannotRead(path: path.string, operation: "open", reason: lastError())
  }
  let file = OpenFile(descriptor, name: path.string) { close($0) }
  let reader = try Ext4Reader.open(descriptor, path: path.string)
  var scan = ImageScan(path: path.string, descriptor: descriptor, blockSize: reader.blockSize)
  try reader.forEachInode { inode, record throws(ImagingFailure) in
    try scan.add(inode, record, reader)
  }
  try scan.walk()
  return ImageContents(
    facts: reader.facts(), tree: scan.tree, extents: scan.orderedExtents, file: file)
}

/// Collects inodes, then names them by walking the folders from the root.
private struct ImageScan {
  let path: String
  let descriptor: CInt
  let blockSize: Int
  private var nodes: [UInt32: Tree.Node] = [:]
  private var extents: [UInt32: [Extent]] = [:]
  private var sizes: [UInt32: Int64] = [:]
  private var entries: [(path: [UInt8], inode: UInt32)] = []
  private(set) var tree = Tree(
    entries: [Tree.Entry(path: [], node: 0)], nodes: [Tree.Node(kind: .directory, mode: 0o755)])
  private(set) var orderedExtents: [[Extent]] = []

  private static let rootInode: UInt32 = 2

  init(path: String, descriptor: CInt, blockSize: Int) {
    self.path = path
    self.descriptor = descriptor
    self.blockSize = blockSize
  }

  mutating func add(
    _ inode: UInt32, _ record: UnsafeRawBufferPointer, _ reader: borrowing Ext4Reader
  ) throws(ImagingFailure) {
    guard inode == Self.rootInode || inode > 10 else { return }
    func half(_ at: Int) -> UInt16 {
      record.loadUnaligned(fromByteOffset: at, as: UInt16.self).littleEndian
    }
    func word(_ at: Int) -> UInt32 {
      record.loadUnaligned(fromByteOffset: at, as: UInt32.self).littleEndian
    }
    let mode = half(0)
    let size = Int64(word(4)) | Int64(word(108)) << 32
    let extra = word(136)
    let seconds = Int64(Int32(bitPattern: word(16))) + Int64(extra & 3) << 32
    var blocks: [Extent] = []
    let kind: Tree.Kind
    switch UInt32(mode) & S_IFMT {
    case S_IFDIR:
      kind = .directory
      blocks = try reader.extents(of: inode, record: record)
    case S_IFREG:
      blocks = try reader.extents(of: inode, record: record)
      kind = .file(Tree.File(size: size, origin: .inline([])))
    case S_IFLNK:
      kind = .symlink(target: try target(of: inode, record, size: size, reader))
    case S_IFCHR:
      let device = device(word(40), word(44))
      kind = .characterDevice(major: device.major, minor: device.minor)
    case S_IFBLK:
      let device = device(word(40), word(44))
      kind = .blockDevice(major: device.major, minor: device.minor)
    case S_IFIFO: kind = .fifo
    default: kind = .socket
    }
    let hasXattrs =
      word(104) != 0 || half(118) != 0
      || record.count >= 160 && word(128 + Int(half(128))) == 0xEA02_0000
    nodes[inode] = Tree.Node(
      kind: kind, mode: mode & 0o7777, uid: UInt32(half(2)) | UInt32(half(120)) << 16,
      gid: UInt32(half(24)) | UInt32(half(122)) << 16,
      modified: Tree.Time(seconds: seconds, nanoseconds: extra >> 2),
      xattrs: hasXattrs ? try reader.xattrs(of: inode) : [])
    extents[inode] = blocks
    sizes[inode] = size
  }

  private func device(_ old: UInt32, _ new: UInt32) -> (major: UInt32, minor: UInt32) {
    old != 0 ? (old >> 8 & 0xFF, old & 0xFF) : (new >> 8 & 0xFFF, new & 0xFF | new >> 12 & 0xFFF00)
  }

  private func target(
    of inode: UInt32, _ record: UnsafeRawBufferPointer, size: Int64,
    _ reader: borrowing Ext4Reader
  ) throws(ImagingFailure) -> [UInt8] {
    guard (0..<Int64(blockSize)).contains(size) else {
      throw .cannotRead(
        path: path, operation: "read a link of", reason: "inode \(inode) is damaged")
    }
    // Short targets stand where the block map would be; then there is no extent flag.
    let flags = record.loadUnaligned(fromByteOffset: 32, as: UInt32.self).littleEndian
    if size < 60, flags & 0x80000 == 0 { return Array(record[40..<(40 + Int(size))]) }
    let blocks = try reader.extents(of: inode, record: record)
    return try content(of: blocks, size: Int(size))
  }

  /// Reads all of a folder or a long link.
  private func content(of blocks: [Extent], size: Int) throws(ImagingFailure) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: size)
    for block in blocks {
      let start = Int(block.logical) * blockSize
      let count = min(Int(block.count) * blockSize, size - start)
      guard start >= 0, count > 0 else { continue }
      let result = bytes.withUnsafeMutableBytes { buffer in
        Result { () throws(ImagingFailure) in
          try fill(
            UnsafeMutableRawBufferPointer(rebasing: buffer[start..<(start + count)]),
            from: descriptor, at: Int64(block.physical) * Int64(blockSize), path: path)
        }
      }
      try result.get()
    }
    return bytes
  }

  /// Names every inode that a folder names, from the root on.
  mutating func walk() throws(ImagingFailure) {
    guard nodes[Self.rootInode]?.kind == .directory else {
      throw .cannotRead(path: path, operation: "read", reason: "it has no root folder")
    }
    var folders: [(path: [UInt8], inode: UInt32)] = [([], Self.rootInode)]
    var seen: Set<UInt32> = [Self.rootInode]
    entries = folders
    while let folder = folders.popLast() {
      // A folder's size is at most what its blocks hold.
      let size = min(
        sizes[folder.inode] ?? 0,
        (extents[folder.inode] ?? []).reduce(0) {
          max($0, Int64($1.logical + $1.count) * Int64(blockSize))
        })
      let bytes = try content(of: extents[folder.inode] ?? [], size: Int(size))
      for (name, inode) in try names(in: bytes, folder.path) {
        let child = folder.path.isEmpty ? name : folder.path + [UInt8(ascii: "/")] + name
        guard let node = nodes[inode] else {
          throw .cannotRead(
            path: path + shown(child), operation: "read", reason: "its inode \(inode) is not in use"
          )
        }
        entries.append((child, inode))
        guard node.kind == .directory else { continue }
        guard seen.insert(inode).inserted else {
          throw .cannotRead(
            path: path + shown(child), operation: "read", reason: "the folder has two names")
        }
        folders.append((child, inode))
      }
    }
    finish()
  }

  private func names(
    in bytes: [UInt8], _ folder: [UInt8]
  ) throws(ImagingFailure) -> [(name: [UInt8], inode: UInt32)] {
    var names: [(name: [UInt8], inode: UInt32)] = []
    var at = 0
    while at + 8 <= bytes.count {
      let inode = bytes[at..<(at + 4)].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      var length = Int(bytes[at + 4]) | Int(bytes[at + 5]) << 8
      if length == 0 || length == 65535 { length = 65536 }
      let count = Int(bytes[at + 6])
      guard length >= 8, at / blockSize == (at + length - 1) / blockSize, 8 + count <= length else {
        throw .cannotRead(
          path: path + shown(folder), operation: "list", reason: "an entry at \(at) is damaged")
      }
      let name = Array(bytes[(at + 8)..<(at + 8 + count)])
      if inode != 0, count > 0, name != [0x2E], name != [0x2E, 0x2E] {
        names.append((name, inode))
      }
      at += length
    }
    return names
  }

  /// Puts names and nodes into a tree, and the extents into its order.
  private mutating func finish() {
    var places: [UInt32: Int] = [:]
    var list: [(node: Tree.Node, inode: UInt32)] = []
    entries.sort { walkPrecedes($0.path, $1.path) }
    let named = entries.map { entry in
      let place = places[entry.inode] ?? list.count
      if place == list.count, let node = nodes[entry.inode] {
        places[entry.inode] = place
        list.append((node, entry.inode))
      }
      return Tree.Entry(path: entry.path, node: place)
    }
    tree = Tree(entries: named, nodes: list.map(\.node))
    orderedExtents = list.map { extents[$0.inode] ?? [] }
  }
}
