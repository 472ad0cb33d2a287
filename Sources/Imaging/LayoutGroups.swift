internal import Model

/// Things that lie together on the disk, by nodes.
struct LayoutGroup: Sendable {
  enum Kind: UInt64, Sendable {
    /// Content of files.
    case files
    /// Folders, blocks of attributes, long links.
    case metadata
    /// The extent tree of one node.
    case extents
    case inodes
  }

  var kind: Kind
  /// Says where the group lies, if there is room: made from the path of its first node.
  var key: UInt64
  /// 32 bits wide: all groups together have as many as there are files.
  var nodes: [Int32]
  var blocks: Int

  init(_ kind: Kind, key: UInt64, nodes: [Int32] = [], blocks: Int = 0) {
    self.kind = kind
    self.key = mixed(key &+ kind.rawValue)
    self.nodes = nodes
    self.blocks = blocks
  }

  mutating func add(_ node: Int, blocks count: Int) {
    nodes.append(Int32(node))
    blocks += count
  }
}

/// A file of so many blocks is a group by itself, and groups of smaller things have about as many.
let largeFileBlocks = 64
/// Inodes in a group, about.
private let inodesInGroup: UInt64 = 64

/// A number for each node, made from its first path.
func pathKeys(of tree: Tree) -> [UInt64] {
  var keys = [UInt64](repeating: 0, count: tree.nodes.count)
  var isSeen = [Bool](repeating: false, count: tree.nodes.count)
  for entry in tree.entries where !isSeen[entry.node] {
    isSeen[entry.node] = true
    // FNV-1a.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in entry.path { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    keys[entry.node] = mixed(hash)
  }
  return keys
}

/// Spreads a number over all 64 bits: the finish of SplitMix64.
func mixed(_ number: UInt64) -> UInt64 {
  var number = number
  number = (number ^ number >> 30) &* 0xBF58_476D_1CE4_E5B9
  number = (number ^ number >> 27) &* 0x94D0_49BB_1331_11EB
  return number ^ number >> 31
}

/// Everything that needs blocks, in groups; the order is that of the walk.
///
/// Whether a group begins at a thing depends on its path and roughly on its size, not on what comes
/// before: what is added or removed touches one group.
func layoutGroups(of demand: Demand, keys: [UInt64]) -> [LayoutGroup] {
  var (files, metadata) = ([LayoutGroup](), [LayoutGroup]())
  var large = [LayoutGroup]()
  for (node, value) in demand.tree.nodes.enumerated() {
    let blocks = demand.dataBlocks(of: node)
    let xattrBlocks = demand.xattrs[node]?.block == nil ? 0 : 1
    if case .file = value.kind {
      if blocks >= largeFileBlocks {
        large.append(LayoutGroup(.files, key: keys[node], nodes: [Int32(node)], blocks: blocks))
      } else if blocks > 0 {
        add(node, blocks, key: keys[node], to: &files, .files)
      }
      if xattrBlocks > 0 { add(node, 1, key: keys[node], to: &metadata, .metadata) }
    } else if blocks + xattrBlocks > 0 {
      add(node, blocks + xattrBlocks, key: keys[node], to: &metadata, .metadata)
    }
  }
  return metadata + files + large
}

private func add(
  _ node: Int, _ blocks: Int, key: UInt64, to groups: inout [LayoutGroup], _ kind: LayoutGroup.Kind
) {
  // The size counts by powers of two, so that growth rarely changes where groups begin.
  let weight = min(largeFileBlocks, 1 << (Int.bitWidth - (blocks - 1).leadingZeroBitCount))
  if groups.isEmpty || key >> 32 % UInt64(largeFileBlocks) < UInt64(weight) {
    groups.append(LayoutGroup(kind, key: key))
  }
  groups[groups.count - 1].add(node, blocks: blocks)
}

/// Nodes in groups whose inodes lie together.
func inodeGroups(of nodes: some Sequence<Int>, keys: [UInt64]) -> [LayoutGroup] {
  var groups = [LayoutGroup]()
  for node in nodes {
    if groups.isEmpty || keys[node] >> 16 % inodesInGroup == 0 {
      groups.append(LayoutGroup(.inodes, key: keys[node]))
    }
    groups[groups.count - 1].add(node, blocks: 0)
  }
  return groups
}
