internal import Content
internal import Foundation
internal import Imaging
internal import Model
internal import Support
internal import SystemPackage
internal import Testing

@Suite("The same tree", .enabled(if: canJudge, "needs e2fsck and debugfs"))
struct ReproducibilityTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func run(_ tool: String, _ arguments: String...) throws {
    let result = try runTool(tool, arguments, folder: folder.path.string)
    try #require(result.status == 0, "\(tool): \(result.errors)")
  }

  /// Fills `t` with things that a plain user can make, and as root with the others.
  private func makeFolder() throws {
    try folder.write("t/usr/bin/tool", String(repeating: "tool ", count: 3000))
    try run("ln", "t/usr/bin/tool", "t/usr/bin/another")
    try run("ln", "t/usr/bin/tool", "t/a-first-name")
    try run("ln", "-s", "usr/bin/tool", "t/short")
    try run("ln", "-s", String(repeating: "long/", count: 50), "t/long")
    try run("mkfifo", "t/pipe")
    try folder.write("t/e\u{301}", "decomposed")
    try folder.write("t/\u{e9}", "composed")
    try folder.write("t/\(String(repeating: "é", count: 127))", "255 bytes")
    for index in 0..<400 { try folder.write("t/many/name-\(index)", "\(index)") }
    let holes = try FileDescriptor.open(
      folder / "t/holes", .writeOnly, options: .create, permissions: .ownerReadWrite)
    try holes.closeAfter {
      _ = try holes.writeAll(toAbsoluteOffset: 1 << 20, Array("middle".utf8))
      try holes.resize(to: 3 << 20)
    }
    try run("touch", "-d", "1950-01-02 03:04:05.123456789 UTC", "t/short", "t/usr/bin/tool")
    try run("touch", "-d", "2105-01-02 03:04:05.987654321 UTC", "t/many")
    if hasTool("setfattr") { try run("setfattr", "-n", "user.word", "-v", "value", "t/holes") }
    if hasTool("setfacl") {
      try run("setfacl", "-m", "u:4000000:rwx,g:2000000:r,m::rx", "t/usr/bin/tool")
      try run("setfacl", "-d", "-m", "u:5000000:rx", "t/usr")
    }
    if getuid() == 0 {
      try run("mknod", "t/null", "c", "1", "3")
      try run("mknod", "t/large", "b", "300", "70000")
      try run("chown", "-h", "70000:80000", "t/short", "t/pipe", "t/many/name-7")
      try run("chmod", "4755", "t/usr/bin/tool")
    }
  }

  private func image(_ name: String, of tree: Tree, jobs: Int = 2) throws -> ContentHash {
    let facts = try writeImage(of: tree, to: folder / name, options: smallOptions(jobs: jobs))
    let damaged = try damagedRanges(of: folder / name, by: facts.chunks, size: 32 << 20)
    #expect(damaged.isEmpty, "the table of chunks is right")
    let digest = try digest(ofImage: folder / name)
    #expect(facts.sha256 == digest, "the hash made while writing is that of the file")
    return digest
  }

  @Test("gives the same bytes from the folder, a copy of it and any tar of it, with any jobs")
  func sources() throws {
    try makeFolder()
    let tree = try scanTree(of: folder / "t")
    let expected = try image("folder", of: tree)
    try expectClean(folder / "folder")
    if canMount { try expectSame(folder / "folder", tree) }
    #expect(try image("one", of: tree, jobs: 1) == expected)
    #expect(try image("four", of: tree, jobs: 4) == expected)

    try run("cp", "-a", "t", "copy")
    #expect(try image("copied", of: scanTree(of: folder / "copy")) == expected)

    try run(
      "tar", "--format=pax", "--xattrs", "--acls", "--numeric-owner", "--sparse", "--sort=none",
      "-cf", "t.tar", "-C", "t", ".")
    func tar(_ name: String) throws -> Tree {
      try scanTar(folder / name, epoch: 0, scratch: folder.path)
    }
    expectSame(try listing(of: tar("t.tar")), try listing(of: tree))
    #expect(try image("tar", of: tar("t.tar")) == expected)
    for (tool, ending) in [("gzip", "gz"), ("zstd", "zst"), ("xz", "xz")] {
      try run(tool, "-k", "t.tar")
      #expect(try image(ending, of: tar("t.tar.\(ending)")) == expected, "\(ending)")
    }
    let pipe = try FileDescriptor.open(folder / "t.tar.gz", .readOnly)
    try pipe.closeAfter {
      let tree = try scanTar(from: pipe, name: "-", epoch: 0, scratch: folder.path)
      #expect(try image("pipe", of: tree) == expected)
    }
    let left = try FileManager.default.contentsOfDirectory(atPath: folder.path.string)
    #expect(!left.contains { $0.hasPrefix(".") }, "no temporary file stays behind")
  }

  @Test("has the digest that sha256sum finds")
  func digests() throws {
    let hash = try image("image", of: makeTree([("a", file("text"))]))
    let judged = try runTool("sha256sum", [(folder / "image").string]).output
    #expect(judged.hasPrefix(hash.hex))
  }

  @Test("has the same bytes, and as many that take room, when it is not hashed")
  func unhashed() throws {
    try makeFolder()
    let facts = try writeImage(
      of: scanTree(of: folder / "t"), to: folder / "hashed", options: smallOptions())
    let allocated = try writeUnhashedImage(
      of: scanTree(of: folder / "t"), to: folder / "image", options: smallOptions())
    #expect(allocated == facts.allocatedSize)
    #expect(
      try runTool("sha256sum", [(folder / "image").string]).output.hasPrefix(facts.sha256.hex))
  }

  @Test("gives other bytes with another identity")
  func identity() throws {
    let tree = makeTree([("a", file("text"))])
    let first = try image("first", of: tree)
    _ = try writeImage(of: tree, to: folder / "second", options: smallOptions(identity: "other"))
    #expect(try digest(ofImage: folder / "second") != first)
  }

  @Test("has UUIDs in the usual form")
  func identifiers() throws {
    let made = VolumeIdentifier(from: "name and lock")
    #expect(VolumeIdentifier(made.description) == made)
    #expect(Array(made.description)[14] == "8")
    #expect(VolumeIdentifier("123") == nil)
    #expect(VolumeIdentifier("+1234567-0000-0000-0000-000000000000") == nil)
  }
}
