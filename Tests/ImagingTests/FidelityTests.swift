internal import Foundation
internal import Imaging
internal import Model
internal import Support
internal import SystemPackage
internal import Testing

@Suite("What an image holds", .enabled(if: canJudge, "needs e2fsck and debugfs"))
struct FidelityTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test(
    "is what random trees hold, says the kernel",
    .enabled(if: canMount, "needs root and loop devices"), arguments: 1...8)
  func randomTrees(seed: UInt64) throws {
    var maker = RandomTree(seed: seed)
    let tree = maker.make(names: 400)
    let image = folder / "image"
    _ = try writeImage(of: tree, to: image, options: smallOptions(mebibytes: 64))
    try expectClean(image)
    try expectSame(image, tree)
  }

  @Test("is what random trees hold, says debugfs", arguments: 11...13)
  func randomTreesWithoutMount(seed: UInt64) throws {
    var maker = RandomTree(seed: seed)
    let made = maker.make(names: 200)
    // A plain user must be able to look at what comes back.
    let tree = Tree(
      entries: made.entries,
      nodes: made.nodes.map { node in
        var node = node
        node.mode |= 0o700
        return node
      })
    let image = folder / "image"
    _ = try writeImage(of: tree, to: image, options: smallOptions(mebibytes: 64))
    try FileManager.default.createDirectory(
      atPath: (folder / "out").string, withIntermediateDirectories: true)
    _ = try debugfs(image, "rdump / \(folder / "out")")
    // debugfs brings back names, content and modes of files, folders and links.
    func known(_ tree: Tree) -> [String] {
      tree.entries.compactMap { entry in
        let node = tree.nodes[entry.node]
        switch node.kind {
        case .file(let file): return "\(entry.path) file \(file.size)"
        case .directory: return "\(entry.path) folder"
        case .symlink(let target): return "\(entry.path) -> \(target)"
        default: return nil
        }
      }
    }
    let found = known(try scanTree(of: folder / "out"))
    #expect(found.filter { $0 != "\(Array("lost+found".utf8)) folder" } == known(tree))
  }

  @Test("includes folders of 50,000 names with a two-level index")
  func largeFolders() throws {
    let padding = String(repeating: "n", count: 80)
    var nodes: [(String, Tree.Node)] = [("big", Tree.Node(kind: .directory, mode: 0o755))]
    for index in 0..<50_000 {
      nodes.append(("big/\(index)-\(padding)", Tree.Node(kind: .fifo, mode: 0o600)))
    }
    let tree = makeTree(nodes)
    let image = folder / "image"
    _ = try writeImage(of: tree, to: image, options: smallOptions(mebibytes: 64, inodes: 60_000))
    try expectClean(image)
    #expect(try debugfs(image, "stat big").contains("Flags: 0x81000"))
    let index = try debugfs(image, "htree_dump big")
    #expect(index.contains("Indirect levels: 1"))
    if canMount {
      try withMount(image) { mounted in
        for index in stride(from: 0, to: 50_000, by: 777) {
          var status = stat()
          #expect(lstat(mounted.appending("big/\(index)-\(padding)").string, &status) == 0)
        }
      }
    }
  }

  @Test("includes files of many extents and files over 4 GiB with holes")
  func extents() throws {
    let large = try FileDescriptor.open(
      folder / "large", .writeOnly, options: .create, permissions: .ownerReadWrite)
    try large.closeAfter {
      _ = try large.writeAll(toAbsoluteOffset: 0, Array("start".utf8))
      _ = try large.writeAll(toAbsoluteOffset: 5 << 30, Array("behind 5 GiB".utf8))
      try large.resize(to: 6 << 30)
    }
    let root = OpenFile(
      open(folder.path.string, O_RDONLY | O_DIRECTORY), name: folder.path.string
    ) { close($0) }
    var ranges = [Range<Int64>]()
    var content = [UInt8](repeating: 0, count: 4000 * 8192)
    for index in 0..<4000 {
      content[index * 8192] = UInt8(truncatingIfNeeded: index | 1)
      ranges.append(Int64(index * 8192)..<Int64(index * 8192 + 4096))
    }
    let tree = makeTree([
      (
        "large",
        Tree.Node(
          kind: .file(
            Tree.File(
              size: 6 << 30, origin: .path(Array("large".utf8), in: root),
              data: [0..<4096, 5 << 30..<(5 << 30) + 4096])), mode: 0o644)
      ),
      ("many", file(content, data: ranges)),
    ])
    let image = folder / "image"
    _ = try writeImage(of: tree, to: image, options: smallOptions(mebibytes: 64))
    try expectClean(image)
    #expect(try debugfs(image, "ex many").contains(" 2/ 2"))
    _ = try debugfs(image, "dump many \(folder / "many")")
    #expect(try Data(contentsOf: URL(fileURLWithPath: (folder / "many").string)) == Data(content))
    guard canMount else { return }
    try withMount(image) { mounted in
      let file = try FileDescriptor.open(mounted.appending("large"), .readOnly)
      try file.closeAfter {
        var bytes = [UInt8](repeating: 0, count: 12)
        let count = try bytes.withUnsafeMutableBytes {
          try file.read(fromAbsoluteOffset: 5 << 30, into: $0)
        }
        #expect(count == 12 && bytes == Array("behind 5 GiB".utf8))
        #expect(try file.seek(offset: 0, from: .end) == 6 << 30)
      }
    }
  }

  @Test("includes capabilities and attributes as debugfs reads them")
  func attributes() throws {
    let capability: [UInt8] = [1, 0, 0, 2, 0, 32, 0, 0] + [UInt8](repeating: 0, count: 12)
    let image = folder / "image"
    _ = try writeImage(
      of: makeTree([
        ("ping", file("x", xattrs: [xattr("security.capability", capability)])),
        ("big", file("x", xattrs: [xattr("user.big", [UInt8](repeating: 65, count: 3000))])),
      ]), to: image, options: smallOptions())
    try expectClean(image)
    let shown = try debugfs(image, "ea_get -x ping security.capability")
    #expect(shown.contains("01 00 00 02 00 20 00 00"))
    #expect(try debugfs(image, "ea_get big user.big").contains(String(repeating: "A", count: 3000)))
  }

  @Test(
    "cannot be what ext4 has no room for",
    arguments: [
      (
        "x", file("", xattrs: [xattr("user.big", [UInt8](repeating: 65, count: 4050))]),
        "cannot keep '/x' in the image: its extended attributes take 4108 bytes beside the inode, and ext4 has 4096 for them"
      ),
      (
        "x", file("", xattrs: [xattr("com.example", [])]),
        "cannot keep '/x' in the image: ext4 has no place for an extended attribute named 'com.example'"
      ),
      (
        "x",
        Tree.Node(
          kind: .symlink(target: [UInt8](repeating: 65, count: 4096)), mode: 0o777),
        "cannot keep '/x' in the image: its target has 4096 bytes, and ext4 allows 1 to 4095"
      ),
      (
        "lost+found", file(""),
        "cannot keep '/lost+found' in the image: ext4 needs a folder of this name"
      ),
    ])
  func unrepresentable(path: String, node: Tree.Node, message: String) throws {
    let error = #expect(throws: ImagingFailure.self) {
      try writeImage(of: makeTree([(path, node)]), to: folder / "image", options: smallOptions())
    }
    #expect(error?.description == message)
    #expect(!FileManager.default.fileExists(atPath: (folder / "image").string))
  }

  @Test(
    "can be changed by the kernel and grown",
    .enabled(if: canMount && hasTool("resize2fs"), "needs root, loop devices and resize2fs"))
  func use() throws {
    var maker = RandomTree(seed: 99)
    let image = folder / "image"
    _ = try writeImage(
      of: maker.make(names: 300), to: image, options: smallOptions(mebibytes: 256))
    _ = try runTool("truncate", ["-s", "400M", image.string])
    let loop = try runTool("losetup", ["-f", "--show", image.string]).output.prefix { $0 != "\n" }
    defer {
      // Left over only when the machine is in trouble; the test has failed by then.
      _ = try? runTool("losetup", ["-d", String(loop)])
    }
    let mounted = try runTool(
      "mount", [String(loop), try folder.write("m/x", "").removingLastComponent().string])
    try #require(mounted.status == 0, "\(mounted.errors)")
    do {
      defer {
        // As above.
        _ = try? runTool("umount", [String(loop)])
      }
      for index in 0..<300 { try folder.write("m/new/\(index)", "\(index)") }
    }
    try expectClean(image)
    let grown = try runTool("resize2fs", ["-f", image.string])
    #expect(grown.status == 0, "\(grown.errors)")
    try expectClean(image)
    #expect(try runTool("dumpe2fs", ["-h", image.string]).output.contains("102400"))
  }
}
