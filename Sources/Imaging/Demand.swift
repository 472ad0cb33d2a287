internal import Model

/// What a tree needs of a file system, found without knowing where anything will be.
///
/// What is kept for each node is 32 bits wide: there may be millions.
struct Demand: Sendable {
  /// The tree, with `lost+found`.
  var tree: Tree
  /// How many names each node has, as ext4 counts them.
  var links: [UInt32]
  var directories: [DirectoryLayout]
  /// The place in `directories` of each node that is a folder, else -1.
  var directoryOfNode: [Int32]
  /// By node; most nodes have none.
  var xattrs: [Int: XattrLayout]
  /// Blocks of data of each node, its holes left out; an ext4 file has fewer than 2³².
  private var dataBlocks: [UInt32]

  var lostAndFound: Int

  /// Blocks without those of the extent trees.
  var blockCount: Int {
    dataBlocks.reduce(0) { $0 + Int($1) } + xattrs.values.count { $0.block != nil }
  }

  /// Blocks of data of a node, its holes left out.
  func dataBlocks(of node: Int) -> Int { Int(dataBlocks[node]) }

  /// - Throws: `.unrepresentable` for what ext4 cannot hold.
  init(_ tree: consuming Tree, hashSeed: [UInt32], epoch: UInt32) throws(ImagingFailure) {
    lostAndFound = try addLostAndFound(to: &tree, epoch: epoch)
    self.tree = tree
    let (entries, nodes) = (self.tree.entries, self.tree.nodes)
    links = [UInt32](repeating: 0, count: nodes.count)
    // Of folders.
    var namesOfNode = [Int: [Int32]]()
    var parentOfNode = [Int: Int]()
    var folders: [(path: [UInt8], node: Int)] = []
    for (place, entry) in entries.enumerated() {
      let isDirectory = nodes[entry.node].kind == .directory
      while let last = folders.last, !isInside(entry.path, last.path) { folders.removeLast() }
      if let parent = folders.last?.node {
        namesOfNode[parent, default: []].append(Int32(place))
        if isDirectory {
          links[parent] += 1
          parentOfNode[entry.node] = parent
        }
      }
      links[entry.node] += isDirectory ? 2 : 1
      if isDirectory { folders.append((entry.path, entry.node)) }
      try checkName(entry.path)
    }

    directories = []
    directoryOfNode = [Int32](repeating: -1, count: nodes.count)
    xattrs = [:]
    dataBlocks = [UInt32](repeating: 0, count: nodes.count)
    var isSeen = [Bool](repeating: false, count: nodes.count)
    for entry in entries where !isSeen[entry.node] {
      let (index, node) = (entry.node, nodes[entry.node])
      isSeen[index] = true
      if node.kind == .directory {
        let spare = index == lostAndFound ? 4 : 1
        guard
          let directory = DirectoryLayout(
            node: index, parent: parentOfNode[index] ?? index,
            names: namesOfNode.removeValue(forKey: index) ?? [],
            entries: entries, hashSeed: hashSeed, spare: spare)
        else {
          throw .unrepresentable(path: shown(entry.path), reason: "it holds too many names")
        }
        directoryOfNode[index] = Int32(directories.count)
        directories.append(directory)
        dataBlocks[index] = UInt32(directory.blockCount)
      } else {
        guard links[index] <= 65000 else {
          throw .unrepresentable(
            path: shown(entry.path), reason: "it has \(links[index]) names, and ext4 allows 65000")
        }
        dataBlocks[index] = UInt32(try Self.dataBlocks(of: node, path: entry.path))
      }
      if !node.xattrs.isEmpty {
        xattrs[index] = try XattrLayout(node.xattrs, path: entry.path)
      }
    }
  }

  private static func dataBlocks(of node: Tree.Node, path: [UInt8]) throws(ImagingFailure) -> Int {
    func fail(_ reason: String) -> ImagingFailure {
      .unrepresentable(path: shown(path), reason: reason)
    }
    switch node.kind {
    case .file(let file):
      guard file.size <= Int64(UInt32.max) * Int64(blockSize) else {
        throw fail("it is larger than ext4 allows")
      }
      return blockRanges(of: file).reduce(0) { $0 + $1.count }
    case .symlink(let target):
      guard (1..<blockSize).contains(target.count) else {
        throw fail("its target has \(target.count) bytes, and ext4 allows 1 to \(blockSize - 1)")
      }
      return target.count < 60 ? 0 : 1
    case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
      guard major < 1 << 12, minor < 1 << 20 else {
        throw fail("its device number \(major):\(minor) is out of range")
      }
      return 0
    case .directory, .fifo, .socket: return 0
    }
  }
}

/// The blocks of a file that hold data, in order and apart.
func blockRanges(of file: Tree.File) -> [Range<Int>] {
  let end = Int((file.size + Int64(blockSize) - 1) / Int64(blockSize))
  guard let data = file.data else { return end == 0 ? [] : [0..<end] }
  var ranges = [Range<Int>]()
  for range in data where !range.isEmpty && range.lowerBound < file.size {
    let lower = Int(range.lowerBound) / blockSize
    let upper = min((Int(range.upperBound) + blockSize - 1) / blockSize, end)
    if let last = ranges.last, lower <= last.upperBound {
      ranges[ranges.count - 1] = last.lowerBound..<max(upper, last.upperBound)
    } else {
      ranges.append(lower..<upper)
    }
  }
  return ranges
}

/// Sees to it that there is the folder that e2fsck puts finds into; returns its node.
private func addLostAndFound(to tree: inout Tree, epoch: UInt32) throws(ImagingFailure) -> Int {
  let path = Array("lost+found".utf8)
  if let found = tree.entries.first(where: { $0.path == path })?.node {
    guard tree.nodes[found].kind == .directory else {
      throw .unrepresentable(path: shown(path), reason: "ext4 needs a folder of this name")
    }
    return found
  }
  return tree.add(
    path,
    Tree.Node(kind: .directory, mode: 0o700, modified: Tree.Time(seconds: Int64(epoch))))
}

private func checkName(_ path: [UInt8]) throws(ImagingFailure) {
  let length = nameLength(path)
  guard length <= 255 else {
    throw .unrepresentable(
      path: shown(path), reason: "its name has \(length) bytes, and ext4 allows 255")
  }
  if path.isEmpty { return }
  let name = path.suffix(length)
  guard length > 0, name != [0x2E], name != [0x2E, 0x2E], !name.contains(0) else {
    throw .unrepresentable(path: shown(path), reason: "that is no name for a file")
  }
}

/// Whether a path lies below a folder.
func isInside(_ path: [UInt8], _ folder: [UInt8]) -> Bool {
  if folder.isEmpty { return !path.isEmpty }
  return path.count > folder.count && path[folder.count] == UInt8(ascii: "/")
    && path.starts(with: folder)
}
