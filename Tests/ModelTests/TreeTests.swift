internal import Model
internal import Testing

@Suite("A tree")
struct TreeTests {
  private func node(_ mode: UInt16) -> Tree.Node { Tree.Node(kind: .fifo, mode: mode) }

  private func tree(_ names: [(String, Int)], modes: [UInt16]) -> Tree {
    Tree(
      entries: names.map { Tree.Entry(path: Array($0.0.utf8), node: $0.1) }, nodes: modes.map(node))
  }

  @Test("lists names as a walk meets them, whatever bytes come before '/'")
  func order() {
    let names = ["a-b", "a/x", "", "a", "a b/y", "a b", "a!"]
    let tree = tree(names.enumerated().map { ($1, $0) }, modes: names.map { _ in 0 })
    #expect(
      tree.entries.map { String(decoding: $0.path, as: UTF8.self) }
        == ["", "a", "a/x", "a b", "a b/y", "a!", "a-b"])
  }

  @Test("is the same value in whatever order its source listed it")
  func equality() {
    let one = tree([("", 0), ("a", 1), ("b", 2), ("c", 1)], modes: [0, 1, 2])
    let other = tree([("c", 0), ("b", 1), ("a", 0), ("", 3)], modes: [1, 2, 77, 0])
    #expect(one == other)
    #expect(one.nodes.map(\.mode) == [0, 1, 2])
  }
}
