internal import Content
internal import Foundation
internal import Imaging
internal import Model
internal import Support
internal import SystemPackage
internal import Testing

/// Whether a file system that shares blocks between files can be tried here.
private let canShare = canMount && hasTool("mkfs.btrfs")

@Suite(
  "An image made from an older one", .enabled(if: canShare, "needs root, loop devices, mkfs.btrfs"))
struct CloneTests {
  /// Calls `body` with a folder on btrfs.
  private func withSharing(_ body: (FilePath) throws -> Void) throws {
    let folder = try TemporaryFolder()
    let (disk, mount) = (folder / "disk", folder / "mount")
    func run(_ tool: String, _ arguments: String...) throws {
      let result = try runTool(tool, arguments)
      try #require(result.status == 0, "\(tool): \(result.errors)")
    }
    try run("truncate", "-s", "512M", disk.string)
    try run("mkfs.btrfs", "-q", disk.string)
    try run("mkdir", mount.string)
    try run("mount", "-o", "loop", disk.string, mount.string)
    defer {
      // The folder cannot be removed while something is mounted there; the test fails then anyway.
      _ = try? runTool("umount", [mount.string])
    }
    try body(mount)
  }

  @Test("has the bytes of one made from nothing, whatever the old one holds")
  func bytes() throws {
    try withSharing { folder in
      var random = RandomTree(seed: 11)
      var trees = [random.make(names: 300)]
      for seed in 12...14 {
        random = RandomTree(seed: UInt64(seed))
        trees.append(random.make(names: seed * 20))
      }
      let options = smallOptions(mebibytes: 64)
      var old = folder.appending("foreign")
      // Not even an image, and larger.
      let garbage = [UInt8](repeating: 0xA5, count: 80 << 20)
      let file = try FileDescriptor.open(
        old, .writeOnly, options: .create, permissions: .ownerReadWrite)
      try file.closeAfter { _ = try file.writeAll(garbage) }
      for (index, tree) in trees.enumerated() {
        let (full, new) = (folder.appending("full\(index)"), folder.appending("new\(index)"))
        let expected = try writeImage(of: tree, to: full, options: options)
        #expect(!expected.isClone)
        let facts = try writeImage(of: tree, to: new, options: options, base: old)
        #expect(facts.isClone)
        #expect(facts.sha256 == expected.sha256)
        #expect(facts.chunks == expected.chunks)
        #expect(try digest(ofImage: new) == expected.sha256)
        #expect(try damagedRanges(of: new, by: facts.chunks, size: 64 << 20).isEmpty)
        try expectClean(new)
        old = new
        // The next is made from a damaged one.
        if index == 1 {
          try damage(old)
        }
      }
    }
  }

  @Test("is that of its files alone, whatever is known of the chunks of the old one")
  func known() throws {
    try withSharing { folder in
      let clones = try expectSameBytes(in: folder, seed: 5)
      // The first has nothing to be a clone of.
      #expect(clones == 7)
    }
  }
}

@Suite("Chunks that are known from an older image")
struct KnownChunksTests {
  @Test("give the bytes of one made without them")
  func edits() throws {
    let folder = try TemporaryFolder()
    _ = try expectSameBytes(in: folder.path, seed: 6)
  }

  @Test("are not taken from bytes that were changed")
  func damaged() throws {
    let folder = try TemporaryFolder()
    try folder.write("tree/a", [1, 2, 3])
    let facts = try writeImage(
      of: try scanTree(of: folder / "tree"), to: folder / "disk",
      options: smallOptions(mebibytes: 16), known: KnownChunks())
    let bytes = facts.known.bytes
    #expect(KnownChunks(bytes: bytes)?.bytes == bytes && bytes.count == 48 + 60)
    for place in bytes.indices {
      var changed = bytes
      changed[place] ^= 1
      #expect(KnownChunks(bytes: changed) == nil)
    }
  }
}

/// Makes an image of a folder that is edited, time after time, each with what is known from the one before
/// and each without.
///
/// - Returns: how many shared blocks with the one before.
private func expectSameBytes(in place: FilePath, seed: UInt64) throws -> Int {
  var folder = try EditedFolder(at: place.appending("tree"), seed: seed)
  var last: (path: FilePath, known: KnownChunks)?
  var clones = 0
  for number in 0..<8 {
    let tree = try folder.edit()
    let (full, new) = (place.appending("full\(number)"), place.appending("new\(number)"))
    let options = smallOptions(mebibytes: 64)
    let expected = try writeImage(of: tree, to: full, options: options)
    let facts = try writeImage(
      of: tree, to: new, options: options, base: last?.path, known: last?.known ?? KnownChunks())
    if facts.isClone { clones += 1 }
    #expect(facts.sha256 == expected.sha256 && facts.chunks == expected.chunks)
    #expect(facts.allocatedSize == expected.allocatedSize)
    try expectClean(new)
    var known = facts.known
    known.settle(at: new)
    // One that is written to afterwards is not taken at its word.
    if number == 3 { try damage(new) }
    last = (new, try #require(KnownChunks(bytes: known.bytes)))
  }
  return clones
}

/// Changes a byte in every megabyte.
private func damage(_ disk: FilePath) throws {
  let file = try FileDescriptor.open(disk, .readWrite)
  try file.closeAfter {
    for offset in stride(from: Int64(0), to: 64 << 20, by: 999_999) {
      _ = try file.writeAll(toAbsoluteOffset: offset, [0x5A])
    }
  }
}
