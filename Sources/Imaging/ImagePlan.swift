internal import Model

/// All blocks that will be written, in the order in which they lie on the disk, and what goes into
/// each of them.
struct ImagePlan: Sendable {
  /// A run of blocks on the disk with one kind of content.
  struct Piece: Sendable {
    var start: UInt64
    var count: UInt32
    var content: Content
  }

  /// Nodes and folders are 32 bits wide: there are as many pieces as files.
  enum Content: Sendable {
    /// A file's data from a block of the file on.
    case data(node: Int32, from: UInt32)
    case directory(Int32, from: UInt32)
    case symlink(node: Int32)
    case xattrs(node: Int32)
    /// A block of the extent tree of a node.
    case extents(node: Int32, block: UInt32)
    case journalExtents(block: UInt32)
    /// The inodes from this number on.
    case inodes(UInt32)
    case journal
    /// What libext2fs wrote.
    case frame

    /// Whether chunks of this are cut by where they lie on the disk.
    var isTable: Bool {
      switch self {
      case .inodes, .frame: true
      default: false
      }
    }
  }

  let demand: Demand
  let layout: Layout
  let geometry: Geometry
  let epoch: UInt32
  let resizeInode: [UInt8]
  let journalStart: [UInt8]
  let frame: Frame
  /// Ascending and apart.
  let pieces: [Piece]
  /// The node of each inode number, or -1.
  private let nodes: [Int32]

  static let journalInode: UInt32 = 8

  init(
    demand: Demand, layout: Layout, geometry: Geometry, epoch: UInt32, resizeInode: [UInt8],
    journalStart: [UInt8], frame: Frame
  ) {
    self.demand = demand
    self.layout = layout
    self.geometry = geometry
    self.epoch = epoch
    self.resizeInode = resizeInode
    self.journalStart = journalStart
    self.frame = frame
    let last = max(layout.inodes.max() ?? 0, 11)
    var nodes = [Int32](repeating: -1, count: Int(last) + 1)
    for (node, inode) in layout.inodes.enumerated() { nodes[Int(inode)] = Int32(node) }
    self.nodes = nodes
    pieces = Self.pieces(demand: demand, layout: layout, geometry: geometry, lastInode: last)
  }

  private static func pieces(
    demand: Demand, layout: Layout, geometry: Geometry, lastInode: UInt32
  ) -> [Piece] {
    var pieces = [Piece]()
    func add(_ start: UInt64, _ count: UInt32, _ content: Content) {
      pieces.append(Piece(start: start, count: count, content: content))
    }
    for range in geometry.frame { add(range.lowerBound, UInt32(range.count), .frame) }
    let inodesInBlock = UInt32(blockSize / InodeRecord.size)
    for (group, table) in geometry.inodeTables.enumerated() {
      let first = UInt32(group) * geometry.inodesPerGroup + 1
      guard first <= lastInode else { break }
      let used = min(lastInode - first + 1, geometry.inodesPerGroup)
      add(table, (used + inodesInBlock - 1) / inodesInBlock, .inodes(first))
    }
    if let journal = layout.journal.first { add(journal.physical, 1, .journal) }
    for (index, block) in layout.journalExtentBlocks.enumerated() {
      add(block, 1, .journalExtents(block: UInt32(index)))
    }
    for (node, blocks) in layout.extentBlocks {
      for (index, block) in blocks.enumerated() {
        add(block, 1, .extents(node: Int32(node), block: UInt32(index)))
      }
    }
    for (node, block) in layout.xattrBlocks { add(block, 1, .xattrs(node: Int32(node))) }
    for (index, value) in demand.tree.nodes.enumerated() {
      let node = Int32(index)
      for extent in layout.extents[index] {
        switch value.kind {
        case .file: add(extent.physical, extent.count, .data(node: node, from: extent.logical))
        case .directory:
          add(
            extent.physical, extent.count,
            .directory(demand.directoryOfNode[index], from: extent.logical))
        default: add(extent.physical, extent.count, .symlink(node: node))
        }
      }
    }
    pieces.sort { $0.start < $1.start }
    return pieces
  }

  /// Bytes that the plan writes.
  var byteCount: Int { pieces.reduce(0) { $0 + Int($1.count) * blockSize } }

  // MARK: - Content of blocks other than file data

  func renderDirectory(
    _ index: Int, block: UInt32, into bytes: UnsafeMutableRawBufferPointer
  ) {
    let directory = demand.directories[index]
    directory.render(
      block: Int(block), into: bytes, tree: demand.tree,
      seed: seed(ofInode: layout.inodes[directory.node]), inode: { layout.inodes[$0] })
  }

  func renderExtents(of node: Int?, block: Int, into bytes: UnsafeMutableRawBufferPointer) {
    let inode = node.map { layout.inodes[$0] } ?? Self.journalInode
    extentTree(of: node).render(block: block, into: bytes, seed: seed(ofInode: inode))
  }

  func renderXattrs(of node: Int, at block: UInt64, into bytes: UnsafeMutableRawBufferPointer) {
    bytes.put(demand.xattrs[node]?.block ?? [], at: 0)
    var number = block.littleEndian
    let seed = withUnsafeBytes(of: &number) { checksum(geometry.checksumSeed, $0) }
    bytes.put(checksum(seed, UnsafeRawBufferPointer(bytes)), at: 16)
  }

  /// Writes a block of 16 inodes, from a number on.
  func renderInodes(from first: UInt32, into bytes: UnsafeMutableRawBufferPointer) {
    for (place, inode) in (first..<first + UInt32(blockSize / InodeRecord.size)).enumerated() {
      let record = UnsafeMutableRawBufferPointer(
        rebasing: bytes[(place * InodeRecord.size)..<((place + 1) * InodeRecord.size)])
      if inode == 7 {
        record.put(resizeInode, at: 0)
        InodeRecord.seal(record, seed: seed(ofInode: inode))
      } else if inode == Self.journalInode, !layout.journal.isEmpty {
        renderJournalInode(into: record)
      } else if Int(inode) < nodes.count, nodes[Int(inode)] >= 0 {
        renderInode(of: Int(nodes[Int(inode)]), into: record)
      }
    }
  }

  private func renderInode(of index: Int, into bytes: UnsafeMutableRawBufferPointer) {
    let node = demand.tree.nodes[index]
    let dataBlocks = demand.dataBlocks(of: index)
    var (size, hasExtents) = (Int64(0), false)
    switch node.kind {
    case .directory: (size, hasExtents) = (Int64(dataBlocks * blockSize), true)
    case .file(let file): (size, hasExtents) = (file.size, true)
    case .symlink(let target): (size, hasExtents) = (Int64(target.count), dataBlocks > 0)
    default: break
    }
    let directory = demand.directoryOfNode[index]
    let ownBlocks =
      dataBlocks + (layout.extentBlocks[index]?.count ?? 0)
      + (layout.xattrBlocks[index] == nil ? 0 : 1)
    InodeRecord(
      node: node, number: layout.inodes[index], links: demand.links[index], size: size,
      blocks: Int64(ownBlocks), extents: hasExtents ? extentTree(of: index) : nil,
      isIndexed: directory >= 0 && demand.directories[Int(directory)].isIndexed,
      xattrs: demand.xattrs[index], xattrBlock: layout.xattrBlocks[index] ?? 0
    ).render(into: bytes, seed: seed(ofInode: layout.inodes[index]))
  }

  private func renderJournalInode(into bytes: UnsafeMutableRawBufferPointer) {
    let blocks = layout.journal.reduce(0) { $0 + Int($1.count) }
    InodeRecord(
      node: Tree.Node(
        kind: .file(Tree.File(size: 0, origin: .inline([]))), mode: 0o600,
        modified: Tree.Time(seconds: Int64(epoch))),
      number: Self.journalInode, links: 1, size: Int64(blocks * blockSize),
      blocks: Int64(blocks + layout.journalExtentBlocks.count), extents: extentTree(of: nil),
      isIndexed: false, xattrs: nil, xattrBlock: 0
    ).render(into: bytes, seed: seed(ofInode: Self.journalInode))
  }

  private func extentTree(of node: Int?) -> ExtentTree {
    guard let node else {
      return ExtentTree(extents: layout.journal[...], blocks: layout.journalExtentBlocks)
    }
    return ExtentTree(
      extents: layout.extents[node], blocks: layout.extentBlocks[node] ?? [])
  }

  /// Starts the checksums of an inode and of the blocks that belong to it: the file system's seed,
  /// the inode's number, and its generation, which is 0.
  private func seed(ofInode inode: UInt32) -> UInt32 {
    var words = (inode.littleEndian, UInt32(0))
    return withUnsafeBytes(of: &words) { checksum(geometry.checksumSeed, $0) }
  }
}

/// The 60 bytes of an inode that map blocks, for extents that need no blocks of their own or have
/// them.
func blockMap(of extents: [Extent], blocks: [UInt64]) -> [UInt8] {
  var map = [UInt8](repeating: 0, count: 60)
  map.withUnsafeMutableBytes {
    ExtentTree(extents: extents[...], blocks: blocks).renderRoot(into: $0)
  }
  return map
}
