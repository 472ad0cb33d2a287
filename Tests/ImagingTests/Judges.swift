internal import Foundation
internal import Imaging
internal import Model
internal import Support
internal import SystemPackage
internal import Testing

/// Options of the small images that tests make.
func smallOptions(
  mebibytes: Int64 = 32, inodes: Int? = nil, jobs: Int = 2, identity: String = "test"
) -> ImageOptions {
  ImageOptions(
    size: mebibytes << 20, label: "test", identity: identity, epoch: 1_700_000_000,
    inodeCount: inodes, jobs: jobs)
}

/// A tree with a root of ours, so that it does not depend on the temporary folder's times.
func makeTree(_ nodes: [(path: String, node: Tree.Node)]) -> Tree {
  Tree(
    entries: [Tree.Entry(path: [], node: 0)]
      + nodes.enumerated().map { Tree.Entry(path: Array($1.path.utf8), node: $0 + 1) },
    nodes: [Tree.Node(kind: .directory, mode: 0o755)] + nodes.map(\.node))
}

/// A file of ours with its content.
func file(_ content: String, mode: UInt16 = 0o644, xattrs: [Tree.Xattr] = []) -> Tree.Node {
  let bytes = Array(content.utf8)
  return Tree.Node(
    kind: .file(Tree.File(size: Int64(bytes.count), origin: .inline(bytes))), mode: mode,
    xattrs: xattrs)
}

/// Has e2fsck judge an image.
func expectClean(_ image: FilePath, at location: SourceLocation = #_sourceLocation) throws {
  let result = try runTool("e2fsck", ["-fn", image.string])
  #expect(
    result.status == 0, Comment(rawValue: String((result.output + result.errors).prefix(4000))),
    sourceLocation: location)
}

/// What debugfs answers to a request.
func debugfs(_ image: FilePath, _ request: String) throws -> String {
  try runTool("debugfs", ["-R", request, image.string]).output
}

let canJudge = hasTool("e2fsck") && hasTool("debugfs")
