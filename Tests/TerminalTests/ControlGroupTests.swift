import Glibc
import Support
import Terminal
import Testing

@Suite("Control groups", .serialized, .enabled(if: isRoot, "needs root to mount cgroup2"))
struct ControlGroupTests {
  /// Mounts the control groups of the machine for the time of a test; false where there are none.
  private func withGroups(_ body: (String) throws -> Void) throws {
    let folder = try TemporaryFolder()
    guard mount("none", folder.path.string, "cgroup2", 0, nil) == 0 else {
      return  // a kernel or a container without version 2
    }
    defer { umount2(folder.path.string, Int32(MNT_DETACH)) }
    try body(folder.path.string)
  }

  @Test("hold a child from its first moment, and end also what hides from all else")
  func hidden() throws {
    try withGroups { parent in
      let name = "build-snapshot-test-\(getpid())"
      let group = try #require(ControlGroup.make(name, below: parent))
      var command = shell(
        """
        grep -c \(name) /proc/self/cgroup
        env -i setsid sh -c 'sleep 1014 & sleep 1014 &'
        env -i setsid sh -c 'while :; do sleep 1014 & sleep 0.01; done' >/dev/null 2>&1 &
        sleep 0.2; echo up; sleep 1014
        """)
      command.controlGroup = group
      let child = try Child.start(command)
      var text = ""
      while !text.hasSuffix("up\n"),
        case .output(let bytes) = child.next(before: .now + .seconds(10))
      {
        text += String(decoding: bytes, as: UTF8.self)
      }
      #expect(text == "1\nup\n")
      child.stop()
      group.remove()
      #expect(access(group.path, F_OK) == -1)
      #expect(try runTool("pgrep", ["-f", "^sleep 1014$"]).output == "")
    }
  }

  @Test("are not made where there are none, nor under a name that is taken")
  func absent() throws {
    let folder = try TemporaryFolder()
    #expect(ControlGroup.make("x", below: folder.path.string) == nil)
    try withGroups { parent in
      let group = try #require(ControlGroup.make("build-snapshot-twice-\(getpid())", below: parent))
      #expect(ControlGroup.make("build-snapshot-twice-\(getpid())", below: parent) == nil)
      group.remove()
    }
  }
}
