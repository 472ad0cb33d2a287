import Foundation
import Support
import SystemPackage
import Testing

@testable import Isolation

@Suite("A program in a namespace", .enabled(if: isRoot, "needs root"))
struct NamespaceTests {
  private let probe = builtProgram("NamespaceProbe")

  @Test func isUserZero() throws {
    let result = try runTool(probe, ["ids"])
    #expect(result.output == "user 0 group 0 groups 0 inside true\n")
    #expect(result.status == 0)
  }

  @Test func aMarkerIsNotBelievedByItself() throws {
    for marker in ["user:[1]", "user:[4026531837]", "1"] {
      let result = try runTool(probe, ["ids"], environment: ["BUILD_SNAPSHOT_NAMESPACE": marker])
      #expect(result.output == "user 0 group 0 groups 0 inside true\n")
    }
  }

  @Test func handsOnExitStatusAndSignals() throws {
    #expect(try runTool(probe, []).status == 64)
    #expect(try runTool(probe, ["raise", "9"]).status == 137)
    #expect(try runTool(probe, ["raise", "15"]).status == 143)
  }

  @Test func worksForAPlainUser() throws {
    let result = try asPlainUser(subordinates: "probe:300000:65536\n", [probe, "ids"])
    #expect(result.output == "user 0 group 0 groups 0 inside true\n", "\(result.errors)")
  }

  @Test func tellsAPlainUserWithoutIDsWhatToDo() throws {
    let result = try asPlainUser(subordinates: "other:300000:65536\n", [probe, "ids"])
    #expect(
      result.output == "error: user 'probe' has no range of 65535 subordinate user and group ids; "
        + "as root: usermod --add-subuids 365536-431071 --add-subgids 365536-431071 probe\n")
    #expect(result.status == 1)
  }

  @Test("runs sandboxes for a plain user", .enabled(if: hasMergedUsr, "needs a merged /usr"))
  func sandboxOfAPlainUser() throws {
    let root = try ProbeRoot()
    let line = "id -u; touch /made; chown 33:33 /made; stat -c %u /made; mount -t tmpfs n /tmp"
    let result = try asPlainUser(
      subordinates: "probe:300000:65536\n",
      [probe, "run", root.folder.path.string, "sh", "-c", line])
    #expect(result.output.hasPrefix("0\n33\n"), "\(result.output)")
    #expect(result.output.contains("permission denied"))
    var facts = stat()
    #expect(stat((root.folder / "made").string, &facts) == 0)
    #expect(facts.st_uid == 300_032)
  }

  @Test("takes all its processes with it", .enabled(if: hasMergedUsr, "needs a merged /usr"))
  func killed() throws {
    let root = try ProbeRoot()
    let pipe = root.folder / "pipe"
    #expect(mkfifo(pipe.string, 0o666) == 0)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: probe)
    let line = "exec 9>/pipe; setsid sleep 1000 & echo ready >&9; sleep 1000"
    process.arguments = ["run", root.folder.path.string, "sh", "-c", line]
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    // The pipe ends when the last process that holds it is gone.
    let reader = try FileHandle(forReadingFrom: URL(fileURLWithPath: pipe.string))
    #expect(reader.availableData == Data("ready\n".utf8))
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    var end = pollfd(fd: reader.fileDescriptor, events: Int16(POLLIN), revents: 0)
    #expect(poll(&end, 1, 10_000) == 1)
    #expect(reader.availableData.isEmpty)
  }

  @Test(
    "lends its terminal to a shell", .enabled(if: hasMergedUsr && hasTool("script"), "needs script")
  )
  func shell() throws {
    let root = try ProbeRoot()
    let result = try runTool(
      "script", ["-qec", "\(probe) shell \(root.folder.path)", "/dev/null"],
      input: Data("expr 40 + 2; hostname; exit 3\n".utf8))
    #expect(result.output.contains("42\r\nlocalhost\r\n"), "\(result.output)")
    #expect(result.output.hasSuffix("terminal is ours: true\r\n"))
    #expect(result.status == 0)
  }

  /// Runs a program as user 4242, `probe`, whom only a private mount namespace knows.
  private func asPlainUser(subordinates: String, _ command: [String]) throws -> ToolResult {
    let scratch = try TemporaryFolder()
    let accounts = try String(contentsOfFile: "/etc/passwd", encoding: .utf8)
    try scratch.write("passwd", accounts + "probe:x:4242:4242::/nonexistent:/bin/sh\n")
    try scratch.write("ids", subordinates)
    let line = """
      mount --bind passwd /etc/passwd && mount --bind ids /etc/subuid &&
      mount --bind ids /etc/subgid && cd / &&
      exec setpriv --reuid 4242 --regid 4242 --clear-groups "$@"
      """
    return try runTool(
      "unshare", ["-m", "sh", "-c", line, "sh"] + command, folder: scratch.path.string)
  }
}
