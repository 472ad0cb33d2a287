internal import Model

/// How the names of one folder are spread over its blocks.
///
/// A folder of one block is a plain list. A larger one is a tree ordered by the names' hashes, with
/// the root in block 0, then the nodes, then the leaves. Format: the kernel's "ext4 Data Structures
/// and Algorithms", chapter "Directory Entries".
struct DirectoryLayout: Sendable {
  /// The folder and the one above it, as places in the tree's nodes.
  var node: Int
  var parent: Int
  /// Places in the tree's entries: sorted by name in a plain folder, by hash in an indexed one.
  var names: [Int32]
  /// Where in `names` each leaf starts and the hash that it starts with; empty: not indexed.
  var leaves: [(start: Int, hash: UInt32)]
  /// Blocks in all.
  var blockCount: Int

  var isIndexed: Bool { !leaves.isEmpty }

  /// Entries of the index that fit into the root and into a node, besides headers and checksum.
  private static let rootLimit = (blockSize - 32 - 8) / 8
  private static let nodeLimit = (blockSize - 8 - 8) / 8
  /// The last bytes of a block of names hold its checksum.
  private static let roomForNames = blockSize - 12
  /// A leaf is not filled to the brim, so that the guest's first new files do not split it.
  private static let leafFill = roomForNames * 4 / 5

  /// Blocks of nodes between the root and the leaves.
  private var nodeCount: Int {
    leaves.count <= Self.rootLimit ? 0 : (leaves.count + Self.nodeLimit - 1) / Self.nodeLimit
  }

  /// - Parameter spare: the least number of blocks, for `lost+found`.
  /// - Returns: nil when the index would need a third level.
  init?(
    node: Int, parent: Int, names: [Int32], entries: [Tree.Entry], hashSeed: [UInt32],
    spare: Int = 1
  ) {
    self.node = node
    self.parent = parent
    self.names = names
    leaves = []
    blockCount = spare
    let bytes = names.reduce(24) { $0 + recordLength(nameLength(entries[Int($1)].path)) }
    if bytes <= Self.roomForNames { return }

    let hashes = names.map { place in
      let path = entries[Int(place)].path
      return path.withUnsafeBytes { bytes in
        nameHash(
          UnsafeRawBufferPointer(rebasing: bytes[(bytes.count - nameLength(path))...]),
          seed: hashSeed)
      }
    }
    let order = names.indices.sorted {
      (hashes[$0].hash, hashes[$0].minor, $0) < (hashes[$1].hash, hashes[$1].minor, $1)
    }
    self.names = order.map { names[$0] }
    let sorted = order.map {
      (hash: hashes[$0].hash, length: recordLength(nameLength(entries[Int(names[$0])].path)))
    }
    leaves = Self.evenLeaves(sorted) ?? Self.fullLeaves(sorted)
    guard nodeCount <= Self.rootLimit else { return nil }
    blockCount = 1 + nodeCount + leaves.count
  }

  /// Leaves for equal ranges of hashes, a power of two of them: a name more or less changes one leaf.
  ///
  /// Hashes spread evenly, so twice the least number of leaves nearly always does.
  ///
  /// - Returns: nil when a leaf would be too full even with four times the least number.
  private static func evenLeaves(
    _ names: [(hash: UInt32, length: Int)]
  ) -> [(start: Int, hash: UInt32)]? {
    let least = max(2, (names.reduce(0) { $0 + $1.length } + leafFill - 1) / leafFill)
    let bits = Int.bitWidth - (least - 1).leadingZeroBitCount
    for bits in bits...bits + 2 where bits < 24 {
      var leaves = (0..<1 << bits).map { (start: 0, hash: UInt32($0) << (32 - bits)) }
      var used = [Int](repeating: 0, count: leaves.count)
      for name in names {
        let leaf = Int(name.hash >> (32 - bits))
        used[leaf] += name.length
        leaves[leaf].start += 1
      }
      if used.contains(where: { $0 > leafFill }) { continue }
      var start = 0
      for leaf in leaves.indices {
        (leaves[leaf].start, start) = (start, start + leaves[leaf].start)
      }
      return leaves
    }
    return nil
  }

  /// As few leaves as can be.
  private static func fullLeaves(
    _ names: [(hash: UInt32, length: Int)]
  ) -> [(start: Int, hash: UInt32)] {
    var leaves = [(start: Int, hash: UInt32)]()
    var used = leafFill + 1
    for (position, name) in names.enumerated() {
      if used + name.length > leafFill {
        // The low bit says that names with this hash are in the leaf before, too.
        let isSplit = position > 0 && names[position - 1].hash == name.hash
        leaves.append((position, leaves.isEmpty ? 0 : name.hash | (isSplit ? 1 : 0)))
        used = 0
      }
      used += name.length
    }
    return leaves
  }

  /// Writes one block of the folder.
  ///
  /// - Parameters:
  ///   - block: zeroed, of the block size.
  ///   - inode: the number of a node's inode.
  ///   - seed: the folder's own checksum seed.
  func render(
    block index: Int, into block: UnsafeMutableRawBufferPointer, tree: Tree, seed: UInt32,
    inode: (Int) -> UInt32
  ) {
    var offset = 0
    if index == 0 {
      block.put(inode(node), at: 0)
      block.put(UInt16(12), at: 4)
      block.put([1, 2, UInt8(ascii: ".")], at: 6)
      block.put(inode(parent), at: 12)
      block.put([2, 2, UInt8(ascii: "."), UInt8(ascii: ".")], at: 18)
      if isIndexed {
        block.put(UInt16(blockSize - 12), at: 16)
        return renderRoot(into: block, seed: seed)
      }
      offset = 24
      block.put(UInt16(12), at: 16)
    } else if isIndexed, index <= nodeCount {
      return renderNode(index - 1, into: block, seed: seed)
    }
    let range: Range<Int>
    if isIndexed {
      let leaf = index - 1 - nodeCount
      range = leaves[leaf].start..<(leaf + 1 < leaves.count ? leaves[leaf + 1].start : names.count)
    } else {
      range = index == 0 ? 0..<names.count : 0..<0
    }
    renderNames(range, from: offset, into: block, tree: tree, inode: inode)
    // The tail: an unused record of 12 bytes with a type of its own.
    block.put(UInt16(12), at: blockSize - 8)
    block.put(UInt8(0xDE), at: blockSize - 5)
    let sum = checksum(seed, UnsafeRawBufferPointer(rebasing: block[..<(blockSize - 12)]))
    block.put(sum, at: blockSize - 4)
  }

  private func renderNames(
    _ range: Range<Int>, from start: Int, into block: UnsafeMutableRawBufferPointer, tree: Tree,
    inode: (Int) -> UInt32
  ) {
    var (offset, last) = (start, start == 0 ? nil : 12)
    for place in names[range] {
      let entry = tree.entries[Int(place)]
      let length = nameLength(entry.path)
      block.put(inode(entry.node), at: offset)
      block.put(UInt16(recordLength(length)), at: offset + 4)
      block.put(UInt8(length), at: offset + 6)
      block.put(typeCode(tree.nodes[entry.node].kind), at: offset + 7)
      entry.path.withUnsafeBytes { path in
        UnsafeMutableRawBufferPointer(rebasing: block[(offset + 8)..<(offset + 8 + length)])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: path[(path.count - length)...]))
      }
      last = offset
      offset += recordLength(length)
    }
    // The last record reaches to the tail.
    let final = last ?? 0
    block.put(UInt16(Self.roomForNames - final), at: final + 4)
  }

  private func renderRoot(into block: UnsafeMutableRawBufferPointer, seed: UInt32) {
    // Hash version (half MD4), length of this record, levels below the root.
    block.put([1, 8, nodeCount == 0 ? 0 : 1, 0], at: 28)
    let targets: [(UInt32, Int)]
    if nodeCount == 0 {
      targets = leaves.enumerated().map { ($1.hash, 1 + $0) }
    } else {
      targets = (0..<nodeCount).map { (leaves[$0 * Self.nodeLimit].hash, 1 + $0) }
    }
    renderIndex(targets, at: 32, limit: Self.rootLimit, into: block, seed: seed)
  }

  private func renderNode(
    _ index: Int, into block: UnsafeMutableRawBufferPointer, seed: UInt32
  ) {
    // One unused record covers the block for those who do not know of the index.
    block.put(UInt16(blockSize), at: 4)
    let first = index * Self.nodeLimit
    let targets = (first..<min(first + Self.nodeLimit, leaves.count)).map {
      (leaves[$0].hash, 1 + nodeCount + $0)
    }
    renderIndex(targets, at: 8, limit: Self.nodeLimit, into: block, seed: seed)
  }

  /// Writes hashes and blocks; the first has no hash, limit and count stand in its place.
  private func renderIndex(
    _ targets: [(hash: UInt32, block: Int)], at start: Int, limit: Int,
    into block: UnsafeMutableRawBufferPointer, seed: UInt32
  ) {
    for (index, target) in targets.enumerated() {
      block.put(target.hash, at: start + 8 * index)
      block.put(UInt32(target.block), at: start + 8 * index + 4)
    }
    block.put(UInt16(limit), at: start)
    block.put(UInt16(targets.count), at: start + 2)
    // The checksum covers what is in use, then the tail with the checksum's own field zero.
    let end = start + 8 * targets.count
    let tail = start + 8 * limit
    var sum = checksum(seed, UnsafeRawBufferPointer(rebasing: block[..<end]))
    sum = checksum(sum, UnsafeRawBufferPointer(rebasing: block[tail..<(tail + 8)]))
    block.put(sum, at: tail + 4)
  }
}

/// Bytes of the last name in a path.
func nameLength(_ path: [UInt8]) -> Int {
  path.count - ((path.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)
}

private func recordLength(_ nameLength: Int) -> Int { (8 + nameLength + 3) & ~3 }

private func typeCode(_ kind: Tree.Kind) -> UInt8 {
  switch kind {
  case .file: 1
  case .directory: 2
  case .characterDevice: 3
  case .blockDevice: 4
  case .fifo: 5
  case .socket: 6
  case .symlink: 7
  }
}
