import Foundation
import Support
import Testing

/// What the host is to blame for, and what must not be left behind on it.
@Suite("A controller's host", .enabled(if: canRunMachines, "needs python3 and curl"), .serialized)
struct HostTests {
  @Test("is blamed for a monitor that breaks, not the image")
  func brokenMonitor() throws {
    let world = try ControllerWorld(ready: 1)
    let version = try world.publish(ControllerWorld.broken)
    try world.start()
    try world.eventually("it tried three times, ever more slowly") {
      try world.metrics().contains("{role=\"cli\",result=\"host_fault\"} 3\n")
    }
    #expect(try !world.metrics().contains("result=\"bad\""))
    #expect(world.log.contains("exit status 1: no room for the machine"))
    #expect(try world.catalog.quarantined("tiny").isEmpty)
    #expect(try world.catalog.pointer("tiny")?.version == version)
  }

  @Test(
    "must have what drivers need, or the controller says what is missing",
    arguments: [
      (
        #""driver": "firecracker", "values": {"kernel": "/etc/passwd"}"#,
        "role 'cli': driver 'firecracker' needs the program 'firecracker', which this host does not have"
      ),
      (
        #""driver": "d", "values": {"kernel": "/nowhere/vmlinuz"}"#,
        "role 'cli': 'kernel' is '/nowhere/vmlinuz', which cannot be read: No such file or directory"
      ),
      (#""driver": "d""#, "role 'cli': driver 'd' needs 'kernel' in 'values'"),
      (#""driver": "e""#, "driver 'e' needs 'command', a list of words"),
      (
        #""driver": "d", "redy": 1"#,
        "role 'cli' has an unknown member 'redy'; did you mean 'ready'?"
      ),
    ])
  func missing(role: String, message: String) throws {
    let folder = try TemporaryFolder()
    try folder.write("token", "a-token-for-tests-only")
    let config = try folder.write(
      "config.json",
      """
      {"store": "\(folder / "store")", "state": "\(folder / "state")",
       "listen": "127.0.0.1:0", "token_file": "\(folder / "token")",
       "roles": {"cli": {"image": "tiny", \(role)}},
       "drivers": {"d": {"command": ["true"], "needs": ["kernel"]}\(role.contains("\"e\"") ? ", \"e\": {}" : "")}}
      """)
    let result = try runTool(
      builtProgram("snapshot-controller"), ["--config", config.string],
      environment: ["PATH": "/bin"])
    #expect(result.status == 64)
    #expect(result.errors == "snapshot-controller: \(message)\n")
  }

  @Test("keeps no process of a machine that nobody knows of")
  func strays() throws {
    let world = try ControllerWorld()
    try world.publish(1)
    try world.start()
    let stray = Process()
    stray.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    stray.arguments = ["sleep", "600"]
    stray.environment = [
      "PATH": "/usr/bin:/bin",
      "SNAPSHOT_CONTROLLER_VM": (world.folder / "state/vms/vm-stray").string,
    ]
    try stray.run()
    try world.eventually("the stray is ended") { !stray.isRunning }
    #expect(world.log.contains("stray ended"))
  }

  @Test("runs one controller for a state")
  func oneController() throws {
    let world = try ControllerWorld()
    try world.publish(1)
    try world.start()
    let second = try runTool(
      builtProgram("snapshot-controller"), ["--config", (world.folder / "config.json").string])
    #expect(second.status == 1)
    #expect(second.errors.contains("another controller works with '\(world.folder / "state")'"))
  }
}
