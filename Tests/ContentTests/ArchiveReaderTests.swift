internal import Content
internal import Foundation
internal import Support
internal import SystemPackage
internal import Testing

@Suite("Archives that other programs made")
struct ArchiveReaderTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Every member by its path, with its content.
  private func members(
    _ reader: consuming ArchiveReader
  ) throws -> [String: (entry: ArchiveEntry, content: [UInt8])] {
    var found = [String: (entry: ArchiveEntry, content: [UInt8])]()
    while let entry = try reader.next() {
      let content = try reader.readAll(limit: 1 << 24)
      found[String(decoding: entry.path, as: UTF8.self)] = (entry, content)
    }
    return found
  }

  private func run(_ tool: String, _ arguments: String...) throws {
    let result = try runTool(tool, arguments, folder: folder.path.string)
    try #require(result.status == 0, "\(tool): \(result.errors)")
  }

  @Test(
    "say what tar put into them, in each format and with each filter",
    arguments: ["gnu", "pax", "ustar"], ["none", "gzip", "xz", "zstd", "bzip2"])
  func tar(format: String, filter: String) throws {
    try folder.write("t/folder/file", "content")
    try run("touch", "-d", "1969-12-31 23:59:58 UTC", "t/folder/file")
    try run("chmod", "4751", "t/folder/file")
    try run("ln", "t/folder/file", "t/second")
    try run("ln", "-s", "folder/file", "t/link")
    try run("mkfifo", "t/pipe")
    try run(
      "tar", "--format=\(format == "ustar" ? "gnu" : format)", "--sort=name", "--owner=:70000",
      "--group=:80000", "-cf", "t.tar", "-C", "t", ".")
    if filter != "none" { try run(filter, "-k", "-f", "t.tar") }
    let ending = ["none": "", "gzip": ".gz", "xz": ".xz", "zstd": ".zst", "bzip2": ".bz2"]
    let found = try members(.open(folder / "t.tar\(ending[filter] ?? "")"))
    let file = try #require(found["./folder/file"])
    #expect(file.content == Array("content".utf8))
    #expect(file.entry.kind == .file)
    #expect(file.entry.mode == 0o4751)
    #expect(file.entry.modified == -2)
    #expect((file.entry.uid, file.entry.gid) == (70000, 80000))
    #expect(found["./link"]?.entry.kind == .symlink(target: Array("folder/file".utf8)))
    #expect(found["./second"]?.entry.kind == .hardlink(target: Array("./folder/file".utf8)))
    #expect(found["./pipe"]?.entry.kind == .fifo)
    #expect(found["./"]?.entry.kind == .directory)
  }

  @Test("keep names apart that differ only in how Unicode composes them, and names of any bytes")
  func names() throws {
    let names: [[UInt8]] = [
      Array("e\u{301}".utf8), [0xC3, 0xA9], [0xFF, 0xFE, 0x0A, 0x20],
      Array(String(repeating: "é", count: 127).utf8),
    ]
    try run("mkdir", "n")
    for (index, name) in names.enumerated() {
      let path = Array("\(folder.path)/n/".utf8) + name + [0]
      try path.map { CChar(bitPattern: $0) }.withUnsafeBufferPointer { path in
        let start = try #require(path.baseAddress)
        let file = try FileDescriptor.open(
          start, .writeOnly, options: .create, permissions: .ownerReadWrite)
        try file.closeAfter { _ = try file.writeAll([UInt8(index)]) }
      }
    }
    for format in ["pax", "gnu"] {
      try run("tar", "--format=\(format)", "-cf", "n.tar", "-C", "n", ".")
      var reader = try ArchiveReader.open(folder / "n.tar")
      var found = Set<[UInt8]>()
      while let entry = try reader.next() {
        if entry.kind == .file { found.insert(Array(entry.path.dropFirst(2))) }
      }
      #expect(found == Set(names), "\(format)")
    }
  }

  @Test("tell where a sparse file has data", arguments: ["1.0", "0.1", "0.0"])
  func sparse(version: String) throws {
    let file = try FileDescriptor.open(
      folder / "holes", .writeOnly, options: .create, permissions: .ownerReadWrite)
    try file.closeAfter {
      _ = try file.writeAll(toAbsoluteOffset: 1 << 20, Array("middle".utf8))
      try file.resize(to: 3 << 20)
    }
    try run(
      "tar", "--format=pax", "--sparse", "--sparse-version=\(version)", "-cf", "s.tar", "holes")
    var reader = try ArchiveReader.open(folder / "s.tar")
    let entry = try #require(try reader.next())
    #expect(entry.path == Array("holes".utf8))
    #expect(entry.size == 3 << 20)
    let ranges = try #require(entry.sparse)
    #expect(ranges.contains { $0.offset <= 1 << 20 && $0.offset + $0.length >= 1 << 20 + 6 })
    #expect(ranges.reduce(0) { $0 + $1.length } < 1 << 16)
    var content = [UInt8](repeating: 0, count: 3 << 20)
    try reader.forEachBlock { offset, bytes in
      content.replaceSubrange(Int(offset)..<Int(offset) + bytes.count, with: bytes)
    }
    #expect(content[1 << 20..<1 << 20 + 6] == ArraySlice("middle".utf8))
    #expect(content.count { $0 != 0 } == 6)
  }

  @Test("give the members of a zip with modes and links", .enabled(if: hasTool("zip"), "needs zip"))
  func zip() throws {
    try folder.write("z/bin/tool", "#!/bin/sh\n")
    try folder.write("z/naïve", "text")
    try run("chmod", "755", "z/bin/tool")
    try run("ln", "-s", "bin/tool", "z/link")
    try run("zip", "-q", "-r", "-y", "z.zip", "z")
    let found = try members(.open(folder / "z.zip"))
    #expect(found["z/bin/tool"]?.entry.mode == 0o755)
    #expect(found["z/bin/tool"]?.content == Array("#!/bin/sh\n".utf8))
    #expect(found["z/link"]?.entry.kind == .symlink(target: Array("bin/tool".utf8)))
    #expect(found["z/naïve"]?.content == Array("text".utf8))
  }

  @Test(
    "open up a deb and the archive within it", .enabled(if: hasTool("dpkg-deb"), "needs dpkg-deb"),
    arguments: ["xz", "zstd", "gzip", "none"])
  func deb(compression: String) throws {
    try folder.write(
      "d/DEBIAN/control",
      "Package: tiny\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: t\n"
    )
    try folder.write("d/usr/share/tiny/file", "inside")
    try run(
      "dpkg-deb", "--root-owner-group", "-Z\(compression)", "--build", "d", "tiny.deb")
    var deb = try ArchiveReader.open(folder / "tiny.deb")
    var order = [String]()
    var content: [UInt8]?
    while let member = try deb.next() {
      let name = String(decoding: member.path, as: UTF8.self)
      order.append(String(name.prefix { $0 != "." }))
      guard name.hasPrefix("data.tar") else { continue }
      try deb.withMember { data in
        while let entry = try data.next() {
          if entry.path == Array("./usr/share/tiny/file".utf8) {
            content = try data.readAll(limit: 100)
            #expect(entry.uid == 0)
          }
        }
      }
    }
    #expect(order == ["debian-binary", "control", "data"])
    #expect(content == Array("inside".utf8))
  }

  @Test("are read from a pipe as from a file")
  func pipe() throws {
    try folder.write("a", "through a pipe")
    try run("tar", "-cf", "a.tar", "a")
    let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: (folder / "a.tar").string)))
    let (readEnd, writeEnd) = try FileDescriptor.pipe()
    try writeEnd.closeAfter { _ = try writeEnd.writeAll(bytes) }
    try readEnd.closeAfter {
      let found = try members(.open(readEnd, name: "-"))
      #expect(found["a"]?.content == Array("through a pipe".utf8))
    }
  }

  @Test(
    "keep attributes and ACLs as the kernel has them",
    .enabled(if: hasTool("setfacl") && hasTool("setfattr"), "needs acl and attr"))
  func attributes() throws {
    try folder.write("x/file", "x")
    try run("chmod", "640", "x/file")
    try run("setfattr", "-n", "user.word", "-v", "value", "x/file")
    try run("setfacl", "-m", "u:4000000:rwx,g:2000:r,m::rw", "x/file")
    try run("setfacl", "-d", "-m", "u:5000000:rx", "x")
    try run(
      "tar", "--format=pax", "--xattrs", "--acls", "--numeric-owner", "-cf", "x.tar", "-C", "x", "."
    )
    let found = try members(.open(folder / "x.tar"))
    let file = try #require(found["./file"])
    #expect(file.entry.mode == 0o660, "the group's bits are the mask")
    #expect(
      file.entry.xattrs.map { String(decoding: $0.name, as: UTF8.self) }
        == ["system.posix_acl_access", "user.word"])
    #expect(file.entry.xattrs.last?.value == Array("value".utf8))
    #expect(
      file.entry.xattrs.first?.value == [
        2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 7, 0, 0, 9, 61, 0, 4, 0, 4, 0, 255, 255,
        255, 255, 8, 0, 4, 0, 208, 7, 0, 0, 16, 0, 6, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255,
        255, 255,
      ])
    #expect(
      found["./"]?.entry.xattrs.map { String(decoding: $0.name, as: UTF8.self) }
        == ["system.posix_acl_default"])
  }

  @Test("are refused when they are damaged, cut off or something else")
  func damage() throws {
    try folder.write("a", String(repeating: "text ", count: 50_000))
    try run("tar", "-czf", "a.tar.gz", "a")
    var bytes = try Array(Data(contentsOf: URL(fileURLWithPath: (folder / "a.tar.gz").string)))
    try folder.write("cut", Array(bytes[..<(bytes.count / 2)]))
    bytes[bytes.count / 2] ^= 0x55
    try folder.write("flipped", bytes)
    try folder.write("other", "this is not an archive\n")
    for name in ["cut", "flipped", "other", "absent"] {
      #expect(throws: ArchiveFailure.self, "\(name)") { try members(.open(folder / name)) }
    }
  }

  @Test("end with the error that the source of their bytes throws")
  func throwingSource() throws {
    #expect(throws: Errno.ioError) {
      _ = try members(.open(name: "broken") { _ in throw Errno.ioError })
    }
  }

  @Test("never crash the reader, whatever bytes are changed")
  func mutations() throws {
    try folder.write("m/file", "content")
    try run("ln", "-s", "file", "m/link")
    try run("tar", "--format=pax", "-cf", "m.tar", "m")
    let original = try Array(Data(contentsOf: URL(fileURLWithPath: (folder / "m.tar").string)))
    var random = SplitMix64(seed: 7)
    for _ in 0..<300 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
          in: 0...255, using: &random)
      }
      var rest = bytes[...]
      // Any outcome but a crash is right.
      _ = try? members(
        .open(name: "mutated") { buffer in
          let count = min(buffer.count, rest.count)
          buffer.copyBytes(from: rest.prefix(count))
          rest = rest.dropFirst(count)
          return count
        })
    }
  }
}
