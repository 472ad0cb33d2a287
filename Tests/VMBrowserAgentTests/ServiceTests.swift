import Foundation
import Support
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

  @Test(
    "need nothing newer than Ubuntu 22.04's C library, and no Swift in the image",
    .enabled(if: isLong, "builds the agents for release; set BUILD_SNAPSHOT_LONG_TESTS=1"),
    .enabled(if: hasTool("objdump"), "needs objdump"), arguments: agents)
  func libraries(name: String) throws {
    let scratch = package.appendingPathComponent(".build/agents").path
    let build = try runTool(
      "swift",
      [
        "build", "-c", "release", "--static-swift-stdlib", "--product", name, "--scratch-path",
        scratch,
      ], folder: package.path)
    try #require(build.status == 0, "\(build.output)\(build.errors)")
    let program = "\(scratch)/release/\(name)"
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
