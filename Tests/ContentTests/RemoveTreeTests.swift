import Content
import Support
import SystemPackage
import Testing

@Suite("Removing a tree")
struct RemoveTreeTests {
  @Test func takesAllThatIsInIt() throws {
    let folder = try TemporaryFolder()
    try folder.write("tree/a/b/c", "text")
    _ = try runTool(
      "sh",
      ["-c", "printf x > \"$(printf 'tree/\\377name')\"; mkdir tree/closed; chmod 0 tree/closed"],
      folder: folder.path.string
    ).succeeded()
    try removeTree(folder / "tree")
    #expect(try runTool("ls", ["-A", folder.path.string]).output == "")
  }

  @Test func leavesWhatLinksPointTo() throws {
    let folder = try TemporaryFolder()
    let kept = try folder.write("outside/kept", "text")
    _ = try runTool(
      "sh", ["-c", "mkdir tree; ln -s ../outside tree/link"], folder: folder.path.string
    ).succeeded()
    try removeTree(folder / "tree")
    #expect(try runTool("cat", [kept.string]).output == "text")
  }

  @Test func isDoneWhenNothingIsThere() throws {
    let folder = try TemporaryFolder()
    try removeTree(folder / "absent")
    try removeTree(folder / "absent/below")
  }
}
