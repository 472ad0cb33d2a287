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
          let file = try FileDescriptor.open(old, .readWrite)
          try file.closeAfter {
            for offset in stride(from: Int64(0), to: 64 << 20, by: 999_999) {
              _ = try file.writeAll(toAbsoluteOffset: offset, [0x5A])
            }
          }
        }
      }
    }
  }
}
