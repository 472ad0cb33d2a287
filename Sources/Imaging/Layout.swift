internal import Model

/// Which inode and which blocks everything gets. Whoever makes one decides where things lie; the
/// plan and the writer only carry it out.
struct Layout: Sendable, Equatable {
  /// By node.
  var inodes: [UInt32]
  /// The extents of node n are those from `firstExtent[n]` to `firstExtent[n + 1]`.
  var extents: [Extent]
  var firstExtent: [Int]
  /// The blocks of large extent trees, leaves first, by node.
  var extentBlocks: [Int: [UInt64]]
  /// By node.
  var xattrBlocks: [Int: UInt64]
  var journal: [Extent]
  var journalExtentBlocks: [UInt64]

  func extents(of node: Int) -> ArraySlice<Extent> {
    extents[firstExtent[node]..<firstExtent[node + 1]]
  }
}

/// The layout of a tree that has none from before: inodes in the order of the walk, and from the front
/// to the back the journal, the folders, blocks of attributes and long links, then the files.
///
/// - Throws: `.outOfSpace` or `.outOfInodes`.
func canonicalLayout(
  of demand: Demand, in geometry: Geometry
) throws(ImagingFailure) -> Layout {
  let nodes = demand.tree.nodes
  guard nodes.count <= geometry.availableInodes else {
    throw .outOfInodes(
      needed: nodes.count, available: geometry.availableInodes,
      largest: largestFolders(of: demand.tree) { _ in 1 })
  }
  var next: UInt32 = 12
  let inodes = nodes.indices.map { node -> UInt32 in
    if node == 0 { return 2 }
    if node == demand.lostAndFound { return 11 }
    defer { next += 1 }
    return next
  }

  let journal = journalBlocks(forBlockCount: geometry.blockCount)
  let room = geometry.free.reduce(0) { $0 + $1.count } - journal
  func full(_ extra: Int) -> ImagingFailure {
    .outOfSpace(
      needed: Int64(demand.blockCount + extra) * Int64(blockSize),
      available: Int64(room) * Int64(blockSize),
      size: Int64(geometry.blockCount) * Int64(blockSize),
      largest: largestFolders(of: demand.tree) { demand.dataBlocks[$0] * blockSize })
  }
  guard demand.blockCount <= room else { throw full(0) }

  var allocator = BlockAllocator(geometry.free)
  var byNode = [[Extent]](repeating: [], count: nodes.count)
  var extentBlocks = [Int: [UInt64]]()
  var xattrBlocks = [Int: UInt64]()
  var spent = 0

  /// Takes the blocks of the extent tree, if it has any.
  func takeTree(forExtents count: Int) throws(ImagingFailure) -> [UInt64] {
    let needed = ExtentTree.levels(forExtents: count).reduce(0, +)
    if needed == 0 { return [] }
    spent += needed
    guard let blocks = allocator.take(needed) else { throw full(spent) }
    return blocks.flatMap { extent in (0..<UInt64(extent.count)).map { extent.physical + $0 } }
  }
  func take(_ node: Int, _ ranges: [Range<Int>]) throws(ImagingFailure) {
    var extents = [Extent]()
    for range in ranges {
      guard let taken = allocator.take(range.count, logical: range.lowerBound) else {
        throw full(spent)
      }
      extents += taken
    }
    let blocks = try takeTree(forExtents: extents.count)
    if !blocks.isEmpty { extentBlocks[node] = blocks }
    byNode[node] = extents
  }

  guard let journalExtents = allocator.take(journal) else { throw full(0) }
  let journalTree = try takeTree(forExtents: journalExtents.count)
  for directory in demand.directories {
    try take(directory.node, [0..<directory.blockCount])
  }
  for node in nodes.indices {
    if demand.xattrs[node]?.block != nil {
      guard let block = allocator.take(1)?.first else { throw full(spent) }
      xattrBlocks[node] = block.physical
    }
    if case .symlink = nodes[node].kind, demand.dataBlocks[node] > 0 { try take(node, [0..<1]) }
  }
  for node in nodes.indices {
    if case .file(let file) = nodes[node].kind { try take(node, blockRanges(of: file)) }
  }

  var firstExtent = [0]
  firstExtent.reserveCapacity(nodes.count + 1)
  for extents in byNode { firstExtent.append((firstExtent.last ?? 0) + extents.count) }
  return Layout(
    inodes: inodes, extents: Array(byNode.joined()), firstExtent: firstExtent,
    extentBlocks: extentBlocks, xattrBlocks: xattrBlocks, journal: journalExtents,
    journalExtentBlocks: journalTree)
}

/// The ten folders that weigh most, heaviest first. A folder is left out when more than half of its
/// weight lies in one folder below, which then stands for it.
func largestFolders(
  of tree: Tree, weight: (_ node: Int) -> Int
) -> [ImagingFailure.FolderSize] {
  var totals = [Int](repeating: 0, count: tree.entries.count)
  var heaviest = totals
  var isWeighed = [Bool](repeating: false, count: tree.nodes.count)
  var folders: [Int] = []
  func leave() {
    let folder = folders.removeLast()
    guard let parent = folders.last else { return }
    totals[parent] += totals[folder]
    heaviest[parent] = max(heaviest[parent], totals[folder])
  }
  for (place, entry) in tree.entries.enumerated() {
    while let last = folders.last, !isInside(entry.path, tree.entries[last].path) { leave() }
    let own = isWeighed[entry.node] ? 0 : weight(entry.node)
    isWeighed[entry.node] = true
    if tree.nodes[entry.node].kind == .directory {
      totals[place] = own
      folders.append(place)
    } else if let folder = folders.last {
      totals[folder] += own
    }
  }
  while !folders.isEmpty { leave() }
  let candidates = tree.entries.indices.filter {
    tree.nodes[tree.entries[$0].node].kind == .directory && totals[$0] > 0
      && heaviest[$0] * 2 <= totals[$0]
  }
  return candidates.sorted { (totals[$1], $0) < (totals[$0], $1) }.prefix(10).map {
    ImagingFailure.FolderSize(path: shown(tree.entries[$0].path), amount: Int64(totals[$0]))
  }
}
