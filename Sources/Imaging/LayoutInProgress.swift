internal import Model

/// Where groups of blocks can go.
enum BlockRoom: Sendable {
  /// Each to a place of its own.
  case slots(Slots)
  /// One behind the other.
  case packed(BlockAllocator)

  /// Finds room for groups: an allocator for each, with all the blocks that it needs.
  mutating func take(_ groups: [LayoutGroup]) -> [BlockAllocator]? {
    switch self {
    case .slots(var slots):
      defer { self = .slots(slots) }
      let size = Slots.blocksInCell
      return slots.place(groups.map { ($0.blocks, $0.key) })?.map { cells in
        BlockAllocator(cells.map { UInt64($0.lowerBound * size)..<UInt64($0.upperBound * size) })
      }
    case .packed(var allocator):
      defer { self = .packed(allocator) }
      var places = [BlockAllocator]()
      for group in groups {
        guard let extents = allocator.take(group.blocks) else { return nil }
        places.append(
          BlockAllocator(extents.map { $0.physical..<$0.physical + UInt64($0.count) }))
      }
      return places
    }
  }
}

/// The blocks of a tree, as they get their places.
struct LayoutInProgress {
  private let demand: Demand
  private let keys: [UInt64]
  private var room: BlockRoom
  private(set) var extents: ExtentsByNode
  private(set) var extentBlocks: [Int: [UInt64]] = [:]
  private(set) var xattrBlocks: [Int: UInt64] = [:]
  /// Where each group begins.
  private(set) var starts: [UInt64] = []

  init(_ demand: Demand, keys: [UInt64], room: BlockRoom) {
    self.demand = demand
    self.keys = keys
    self.room = room
    extents = ExtentsByNode(nodeCount: demand.tree.nodes.count)
  }

  /// Places everything; nil when the room is too small.
  mutating func place(_ groups: [LayoutGroup]) -> LayoutInProgress? {
    guard placeAll(groups) else { return nil }
    // Only now is it known how many extents a file has.
    let trees = demand.tree.nodes.indices.compactMap { node in
      let blocks = extentTreeBlocks(forExtents: extents[node].count)
      return blocks == 0
        ? nil : LayoutGroup(.extents, key: keys[node], nodes: [Int32(node)], blocks: blocks)
    }
    return placeAll(trees) ? self : nil
  }

  private mutating func placeAll(_ groups: [LayoutGroup]) -> Bool {
    guard let places = room.take(groups) else { return false }
    for (group, place) in zip(groups, places) {
      var place = place
      if let start = place.free.first?.lowerBound { starts.append(start) }
      for node in group.nodes {
        guard self.place(Int(node), of: group, in: &place) else { return false }
      }
    }
    return true
  }

  private mutating func place(
    _ node: Int, of group: LayoutGroup, in place: inout BlockAllocator
  ) -> Bool {
    if group.kind == .extents {
      extentBlocks[node] = place.takeSingle(group.blocks)
      return extentBlocks[node] != nil
    }
    let kind = demand.tree.nodes[node].kind
    if group.kind == .metadata, demand.xattrs[node]?.block != nil {
      guard let block = place.takeSingle(1)?.first else { return false }
      xattrBlocks[node] = block
    }
    var ranges: [Range<Int>] = []
    if case .file(let file) = kind {
      if group.kind == .files { ranges = blockRanges(of: file) }
    } else if demand.dataBlocks(of: node) > 0 {
      ranges = [0..<demand.dataBlocks(of: node)]
    }
    for range in ranges {
      guard let taken = place.take(range.count, logical: range.lowerBound) else { return false }
      extents.append(taken, to: node)
    }
    return true
  }
}
