import Compiling
import Foundation
import Support
import SystemPackage
import Testing

private let package = fixture("").deletingLastPathComponent().deletingLastPathComponent()
private let agents = ["vm-browser-agent", "vm-api-server"]

@Suite("The agents as services")
struct ServiceTests {
  @Test(
    "have units without faults, closed as far as their work allows",
    .enabled(if: hasTool("systemd-analyze"), "needs systemd-analyze"), arguments: agents)
  func units(name: String) throws {
    let unit = package.appendingPathComponent("recipes/units/\(name).service")
    // The check wants the program to be there, which it is in the image only.
    let text = try String(contentsOf: unit, encoding: .utf8)
      .replacing("/opt/agents/\(name)", with: "/bin/true")
    let folder = try TemporaryFolder()
    let copy = try folder.write("\(name).service", text).string
    let verified = try runTool("systemd-analyze", ["verify", copy])
    #expect(verified.status == 0 && verified.errors == "")
    let security = ["security", "--offline=true", "--no-pager", "--threshold=40", copy]
    #expect(try runTool("systemd-analyze", security).status == 0)
  }

  /// What they do bear is tried by `scripts/boot-image`, which looks at the screen of a machine.
  @Test(
    "have a screen that is closed further still", .enabled(if: hasTool("systemd-analyze")),
    arguments: ["xvfb", "x11vnc", "xtigervnc", "openbox", "novnc"])
  func screen(name: String) throws {
    let unit = package.appendingPathComponent("recipes/units/\(name).service").path
    let security = ["security", "--offline=true", "--no-pager", "--threshold=20", unit]
    let found = try runTool("systemd-analyze", security)
    #expect(found.status == 0, "\(found.output.suffix(80))")
  }

  @Test(
    "need nothing newer than Ubuntu 22.04's C library, and no Swift in the image",
    .enabled(if: isLong, "builds the agents for release; set BUILD_SNAPSHOT_LONG_TESTS=1"),
    .enabled(if: hasTool("objdump"), "needs objdump"), arguments: agents)
  func libraries(name: String) async throws {
    // The very programs that recipes take, and the store that the other tests of this run use.
    let store = FilePath(package.path).pushing(".build/agents")
    let program = try await Compiler(store: store)
      .program(name, package: FilePath(package.path)).path.string
    let needs = try runTool("objdump", ["-p", program]).output
    let libraries = needs.split(separator: "\n").filter { $0.contains("NEEDED") }
    #expect(libraries.allSatisfy { !$0.contains("swift") && !$0.contains("Foundation") })
    var newest = [0, 0]
    for version in needs.matches(of: /GLIBC_(\d+)\.(\d+)/) {
      let found = [Int(version.1) ?? 0, Int(version.2) ?? 0]
      if newest.lexicographicallyPrecedes(found) { newest = found }
    }
    #expect(newest[0] == 2 && newest[1] > 0 && newest[1] <= 35, "needs GLIBC_\(newest)")
  }

  @Test(
    "tell the service manager when they answer",
    .enabled(if: hasTool("python3"), "plays the manager in python3"), arguments: agents)
  func readiness(name: String) throws {
    let folder = try TemporaryFolder()
    let script = """
      import os, signal, socket, subprocess, sys
      s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
      s.bind(sys.argv[1])
      s.settimeout(20)
      p = subprocess.Popen([sys.argv[2], "--listen", "127.0.0.1:0"], env={"NOTIFY_SOCKET": sys.argv[1]},
        stderr=subprocess.DEVNULL)
      print(s.recv(100).decode())
      p.send_signal(signal.SIGTERM)
      print(s.recv(100).decode(), p.wait())
      """
    let arguments = ["-c", script, (folder / "notify").string, builtProgram(name)]
    #expect(try runTool("python3", arguments).output == "READY=1\nSTOPPING=1 0\n")
  }

  @Test("explain themselves, and name what they do not understand", arguments: agents)
  func commandLine(name: String) throws {
    #expect(
      try runTool(builtProgram(name), ["--help"]).output.hasPrefix("Usage: \(name) [options]"))
    let faulty = try runTool(builtProgram(name), ["--port", "1"])
    #expect(faulty.status == 64 && faulty.errors == "\(name): unknown option '--port'\n")
    let address = try runTool(builtProgram(name), ["--listen", "here"])
    #expect(address.status == 64 && address.errors == "\(name): 'here' is no HOST:PORT\n")
  }
}
