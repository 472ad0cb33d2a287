internal import Foundation
internal import Imaging
internal import Model
internal import Support
internal import SystemPackage
internal import Testing

@Suite("Images", .enabled(if: canJudge, "needs e2fsck and debugfs"))
struct WriteImageTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("of sizes from small to the usual one are clean", arguments: [8, 16, 64, 200, 1024, 8192])
  func sizes(mebibytes: Int64) throws {
    let image = folder / "image"
    let facts = try writeImage(
      of: makeTree([("a", file("text"))]), to: image, options: smallOptions(mebibytes: mebibytes))
    try expectClean(image)
    #expect(facts.size == mebibytes << 20)
    #expect(try debugfs(image, "cat a") == "text")
  }

  @Test("say of themselves what dumpe2fs says of them")
  func facts() throws {
    let image = folder / "image"
    let facts = try writeImage(
      of: makeTree([("a", file("text"))]), to: image, options: smallOptions())
    let header = try runTool("dumpe2fs", ["-h", image.string]).output
    func value(_ name: String) -> String? {
      header.split(separator: "\n").first { $0.hasPrefix("\(name):") }
        .map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) }
    }
    #expect(value("Filesystem UUID") == facts.uuid.description)
    #expect(value("Directory Hash Seed") == facts.hashSeed.description)
    #expect(value("Filesystem volume name") == facts.label)
    #expect(value("Block count") == "\(facts.blockCount)")
    #expect(value("Free blocks") == "\(facts.freeBlocks)")
    #expect(value("Inode count") == "\(facts.inodeCount)")
    #expect(value("Free inodes") == "\(facts.freeInodes)")
    #expect(value("Reserved block count") == "0")
    #expect(value("Total journal blocks") == "\(facts.journalBlocks)")
    let features = try #require(value("Filesystem features"))
    #expect(features.split(separator: " ").map(String.init).sorted() == facts.features)
    for name in ["Filesystem created", "Last write time", "Last checked"] {
      #expect(value(name) == "Tue Nov 14 22:13:20 2023", "\(name)")
    }
  }
}
