internal import Model

/// Which inode and which blocks everything gets. Whoever makes one decides where things lie; the
/// plan and the writer only carry it out.
struct Layout: Sendable, Equatable {
  /// By node.
  var inodes: [UInt32]
  var extents: ExtentsByNode
  /// The blocks of large extent trees, leaves first, by node.
  var extentBlocks: [Int: [UInt64]]
  /// By node.
  var xattrBlocks: [Int: UInt64]
  var journal: [Extent]
  var journalExtentBlocks: [UInt64]
  /// The first block of each run that was placed by itself, ascending.
  var starts: [UInt64]
}

/// The extents of each node. Nearly all files lie in one piece, and there are many of them: one extent of each
/// is at hand, and who has several is looked up.
struct ExtentsByNode: Sendable, Equatable {
  /// One without blocks, where there are none or several.
  private var single: [Extent]
  private var several: [Int32: [Extent]] = [:]

  init(nodeCount: Int) {
    single = [Extent](repeating: Extent(logical: 0, count: 0, physical: 0), count: nodeCount)
  }

  subscript(node: Int) -> ArraySlice<Extent> {
    if single[node].count > 0 { return single[node...node] }
    return several[Int32(node)]?[...] ?? []
  }

  /// Adds extents that come after those that a node has.
  mutating func append(_ extents: [Extent], to node: Int) {
    if extents.count == 1, single[node].count == 0, several[Int32(node)] == nil {
      single[node] = extents[0]
      return
    }
    let all = self[node] + extents
    if !all.isEmpty {
      several[Int32(node)] = Array(all)
      single[node].count = 0
    }
  }
}

/// Gives everything in a tree its place, so that what did not change stays where it was when other things
/// change: the place of a thing follows from its path.
///
/// Files, folders and inodes are gathered in small groups, which hash to places of the disk with slack
/// between them; `docs/layout.md` says how and why. Where that would not leave enough room, everything
/// lies close together, in the order of the walk.
///
/// - Throws: `.outOfSpace` or `.outOfInodes`.
func layOut(_ demand: Demand, in geometry: Geometry) throws(ImagingFailure) -> Layout {
  let nodes = demand.tree.nodes
  guard nodes.count <= geometry.availableInodes else {
    throw .outOfInodes(
      needed: nodes.count, available: geometry.availableInodes,
      largest: largestFolders(of: demand.tree) { _ in 1 })
  }
  let journalCount = journalBlocks(forBlockCount: geometry.blockCount)
  let room = geometry.free.reduce(0) { $0 + $1.count } - journalCount
  func full(_ extra: Int) -> ImagingFailure {
    .outOfSpace(
      needed: Int64(demand.blockCount + extra) * Int64(blockSize),
      available: Int64(room) * Int64(blockSize),
      size: Int64(geometry.blockCount) * Int64(blockSize),
      largest: largestFolders(of: demand.tree) { demand.dataBlocks(of: $0) * blockSize })
  }
  guard demand.blockCount <= room else { throw full(0) }

  let keys = pathKeys(of: demand.tree)
  let inodes = placeInodes(of: demand, keys: keys, in: geometry)
  // The journal's place depends on the size of the image alone.
  var allocator = BlockAllocator(geometry.free)
  guard let journal = allocator.take(journalCount),
    let journalTree = allocator.takeSingle(extentTreeBlocks(forExtents: journal.count))
  else { throw full(0) }
  let groups = layoutGroups(of: demand, keys: keys)
  func layout(in room: BlockRoom) -> Layout? {
    var layout = LayoutInProgress(demand, keys: keys, room: room)
    return layout.place(groups).map { place in
      Layout(
        inodes: inodes, extents: place.extents, extentBlocks: place.extentBlocks,
        xattrBlocks: place.xattrBlocks, journal: journal, journalExtentBlocks: journalTree,
        starts: place.starts.sorted())
    }
  }
  if let slots = Slots(forBlocks: groups.map(\.blocks), in: allocator.free),
    let layout = layout(in: .slots(slots))
  {
    return layout
  }
  if let layout = layout(in: .packed(allocator)) { return layout }
  // What is missing is room for extent trees: two blocks tell the tale.
  throw full(2)
}

/// The inode of each node: 2 for the root, 11 for `lost+found`.
private func placeInodes(
  of demand: Demand, keys: [UInt64], in geometry: Geometry
) -> [UInt32] {
  let nodes = demand.tree.nodes
  let others = nodes.indices.lazy.filter { $0 != 0 && $0 != demand.lostAndFound }
  var inodes = [UInt32](repeating: 0, count: nodes.count)
  inodes[0] = 2
  inodes[demand.lostAndFound] = 11

  let groups = inodeGroups(of: others, keys: keys)
  let perBlock = blockSize / InodeRecord.size
  let cells = 1..<Int(geometry.inodeCount) / perBlock
  if var slots = Slots(forCounts: groups.map(\.nodes.count), perCell: perBlock, in: [cells]),
    let places = slots.place(groups.map { ($0.nodes.count, $0.key) })
  {
    for (group, ranges) in zip(groups, places) {
      let numbers = ranges.joined().flatMap { cell in
        (0..<perBlock).map { UInt32(cell * perBlock + $0 + 1) }
      }
      for (node, number) in zip(group.nodes, numbers) { inodes[Int(node)] = number }
    }
    return inodes
  }
  for (place, node) in others.enumerated() { inodes[node] = UInt32(12 + place) }
  return inodes
}

/// How many blocks of its own the tree of so many extents has.
func extentTreeBlocks(forExtents count: Int) -> Int {
  ExtentTree.levels(forExtents: count).reduce(0, +)
}
