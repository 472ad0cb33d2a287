public import Model

/// The names of a tree, to be asked by path as programs in the image would ask.
public struct FileTable: Sendable {
  public let tree: Tree
  private let nodes: [[UInt8]: Int]

  public init(_ tree: Tree) {
    self.tree = tree
    nodes = Dictionary(tree.entries.map { ($0.path, $0.node) }) { first, _ in first }
  }

  /// The node that a path names; links on the way and the last part are not followed.
  public func node(_ path: [UInt8]) -> Int? { nodes[path] }

  /// The node that a path leads to, links followed as if the tree were `/`; nil when nothing is there.
  ///
  /// - Parameter path: with or without a leading `/`.
  public func resolve(_ path: String) -> (node: Int, path: [UInt8])? { resolve(Array(path.utf8)) }

  public func resolve(_ path: [UInt8], followsLast: Bool = true) -> (node: Int, path: [UInt8])? {
    var parts = path.split(separator: UInt8(ascii: "/")).map(Array.init)[...]
    var current: [UInt8] = []
    var steps = 0
    while let part = parts.popFirst() {
      if part == [UInt8(ascii: ".")] { continue }
      if part == [UInt8(ascii: "."), UInt8(ascii: ".")] {
        current = parent(current)
        continue
      }
      let next = current.isEmpty ? part : current + [UInt8(ascii: "/")] + part
      guard let node = nodes[next] else { return nil }
      if case .symlink(let target) = tree.nodes[node].kind, followsLast || !parts.isEmpty {
        steps += 1
        guard steps <= 40 else { return nil }
        if target.first == UInt8(ascii: "/") { current = [] }
        parts = (target.split(separator: UInt8(ascii: "/")).map(Array.init) + parts)[...]
        continue
      }
      current = next
    }
    return nodes[current].map { ($0, current) }
  }

  private func parent(_ path: [UInt8]) -> [UInt8] {
    path.lastIndex(of: UInt8(ascii: "/")).map { Array(path[..<$0]) } ?? []
  }

  /// The entries directly or deeper below a folder, in walk order.
  public func entries(below folder: String) -> ArraySlice<Tree.Entry> {
    let prefix = Array(folder.utf8) + [UInt8(ascii: "/")]
    // Walk order keeps what is below a folder together.
    guard let first = tree.entries.firstIndex(where: { $0.path.starts(with: prefix) })
    else { return [] }
    let end = tree.entries[first...].firstIndex { !$0.path.starts(with: prefix) }
    return tree.entries[first..<(end ?? tree.entries.endIndex)]
  }
}

/// A path of a tree as messages show it.
public func shown(_ path: [UInt8]) -> String { "/" + String(decoding: path, as: UTF8.self) }
