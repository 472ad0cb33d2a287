internal import Foundation
internal import Imaging
internal import Model
internal import Support
internal import SystemPackage
internal import Testing

@Suite("A file that did not change")
struct LayoutTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A system of some packages, with an agent and a program of chosen sizes.
  private func nodes(agent: Int = 40_000, package: Int = 20_000) -> [String: Tree.Node] {
    var nodes: [String: Tree.Node] = [:]
    func add(_ path: String, _ count: Int) {
      var folder = path
      while let slash = folder.lastIndex(of: "/") {
        folder = String(folder[..<slash])
        nodes[folder] = Tree.Node(kind: .directory, mode: 0o755)
      }
      nodes[path] = file(content(path, count))
    }
    for index in 0..<60 {
      for part in 0..<10 { add("usr/share/package\(index)/part\(part)", 100 + part * 700) }
      add("usr/bin/program\(index)", index == 30 ? package : 30_000)
      add("usr/lib/info/package\(index).list", 50)
    }
    for index in 0..<4 { add("usr/lib/large\(index)", 1 << 20) }
    add("opt/agent/server", agent)
    return nodes
  }

  /// Bytes that no other path has, in every block.
  private func content(_ path: String, _ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 7, count: count)
    for start in stride(from: 0, to: count, by: 4096) {
      for (offset, byte) in path.utf8.enumerated() where start + offset < count {
        bytes[start + offset] = byte
      }
    }
    return bytes
  }

  private func tree(_ nodes: [String: Tree.Node]) -> Tree {
    makeTree(nodes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
  }

  /// Bytes in blocks that differ when one tree takes another's place.
  private func difference(
    _ old: [String: Tree.Node], _ new: [String: Tree.Node]
  ) throws -> Int {
    var images: [[UInt8]] = []
    let folder = try TemporaryFolder()
    for (name, nodes) in [("old", old), ("new", new)] {
      _ = try writeImage(
        of: tree(nodes), to: folder / name, options: smallOptions(mebibytes: 48, inodes: 4000))
      if canJudge { try expectClean(folder / name) }
      images.append(try bytes(of: folder / name))
    }
    return images[0].withUnsafeBytes { old in
      images[1].withUnsafeBytes { new in
        stride(from: 0, to: old.count, by: 4096).count { start in
          !UnsafeRawBufferPointer(rebasing: old[start..<start + 4096]).isSame(
            as: UnsafeRawBufferPointer(rebasing: new[start..<start + 4096]))
        } * 4096
      }
    }
  }

  private func bytes(of path: FilePath) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path.string)))
  }

  @Test("stays where it is when an agent grows")
  func agent() throws {
    let difference = try difference(nodes(), nodes(agent: 120_000))
    #expect(difference < 120_000 + 256_000, "\(difference) bytes differ")
  }

  @Test("stays where it is when a program grows, and its neighbours do")
  func program() throws {
    let difference = try difference(nodes(), nodes(package: 30_000))
    #expect(difference < 300_000, "\(difference) bytes differ")
  }

  @Test("stays where it is when a package comes or goes")
  func package() throws {
    let all = nodes()
    let fewer = all.filter { !$0.key.contains("package17") }
    for (old, new) in [(all, fewer), (fewer, all)] {
      let difference = try difference(old, new)
      #expect(difference < 1_000_000, "\(difference) bytes differ")
    }
  }

  @Test("stays where it is when large files come and grow")
  func large() throws {
    var more = nodes()
    more["usr/lib/another"] = file([UInt8](repeating: 9, count: 3 << 20))
    let difference = try difference(nodes(), more)
    #expect(difference < 3 << 20 + 100_000, "\(difference) bytes differ")
  }

  @Test("finds room in an image with hardly any to spare", arguments: [15, 16, 18, 22])
  func tight(mebibytes: Int64) throws {
    let path = folder / "tight"
    _ = try writeImage(
      of: tree(nodes()), to: path, options: smallOptions(mebibytes: mebibytes, inodes: 900))
    if canJudge { try expectClean(path) }
    if canMount { try expectSame(path, tree(nodes())) }
  }
}

extension UnsafeRawBufferPointer {
  /// Whether bytes are equal; as fast as can be also where nothing is optimised.
  fileprivate func isSame(as other: UnsafeRawBufferPointer) -> Bool {
    guard let start = baseAddress, let otherStart = other.baseAddress else { return false }
    return memcmp(start, otherStart, count) == 0
  }
}
