import Content
import Support
import SystemPackage
import Testing

@Suite("Copying a sparse file")
struct CopySparseTests {
  @Test func keepsBytesAndHoles() throws {
    let folder = try TemporaryFolder()
    _ = try runTool(
      "sh",
      [
        "-c",
        "truncate -s 100M a; echo start | dd of=a conv=notrunc; echo mid | dd of=a conv=notrunc bs=1M seek=50",
      ], folder: folder.path.string
    ).succeeded()
    try copySparse(folder / "a", to: folder / "b")
    #expect(try runTool("cmp", [(folder / "a").string, (folder / "b").string]).status == 0)
    let blocks = try runTool("stat", ["-c", "%b", (folder / "b").string]).output
    #expect(try #require(Int(blocks.dropLast())) < 1000)
  }

  @Test func leavesNothingWhenTheSourceIsMissing() throws {
    let folder = try TemporaryFolder()
    #expect(throws: Errno.self) { try copySparse(folder / "absent", to: folder / "b") }
    #expect(try runTool("ls", ["-A", folder.path.string]).output == "")
  }
}
