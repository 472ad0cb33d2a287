import Foundation
import Model
import Publishing
import Support
import SystemPackage
import Testing

/// The whole loop: publish, swap, fall back, refuse.
@Suite("A controller", .enabled(if: canRunMachines, "needs python3 and curl"), .serialized)
struct LoopTests {
  @Test("swaps to new versions, and goes back from one that does not boot")
  func loop() throws {
    let world = try ControllerWorld()
    let first = try world.publish(1)
    try world.start()
    let old = try world.boot()
    #expect(old["version"] == first.description)

    let second = try world.publish(2)
    let new = try world.boot()
    #expect(new["version"] == second.description)
    #expect(try world.answers(old) && world.answers(new))
    let cleanup = try world.catalog.collect(
      "tiny", Retention(keep: 1), at: Timestamp(seconds: 1_782_873_667))
    #expect(cleanup.removed.isEmpty, "the first is leased by a machine that runs")

    // Published without a check: its agent crashes at boot.
    let third = try world.publish(ControllerWorld.crash)
    for _ in 0..<2 { _ = try world.ask("POST", "/api/vms", ["role": "cli"]) }
    try world.eventually("the pointer is back at the second") {
      try world.catalog.pointer("tiny")?.version == second
    }
    let mark = try #require(try world.catalog.quarantined("tiny").first)
    #expect(mark.version == third)
    #expect(mark.reason.contains("its process ended before an agent answered"))
    #expect(throws: CatalogFailure.self, "tonight's identical rebuild") {
      try world.publish(ControllerWorld.crash)
    }
    let after = try world.boot()
    #expect(after["version"] == second.description)
    #expect(try world.answers(old) && world.answers(new))

    let metrics = try world.metrics()
    #expect(metrics.contains("snapshot_controller_boots_total{role=\"cli\",result=\"bad\"} 2\n"))
    #expect(
      metrics.contains("snapshot_controller_boots_total{role=\"cli\",result=\"rollback\"} 1\n"))

    for machine in try world.machines() {
      #expect(try world.ask("DELETE", "/api/vms/\(machine["id"] ?? "")").status == 200)
    }
    #expect(world.machineProcesses.isEmpty)
    #expect(try world.catalog.versions("tiny") == [first, second, third])
  }

  @Test("signs users in, each in a browser machine of its own")
  func signsIn() throws {
    let world = try ControllerWorld()
    try world.publish(1)
    try world.start()
    #expect(try world.ask("POST", "/api/auth/start", [:]).status == 400)
    let answer = try world.ask("POST", "/api/auth/start", ["provider": "codex"])
    #expect(answer.status == 201)
    let started = try #require(answer.json as? [String: Any])
    let id = try #require(started["session_id"] as? String)
    #expect(started["status"] as? String == "starting")
    var session: [String: Any] = [:]
    try world.eventually("the session is ready") {
      session = try world.ask("GET", "/api/auth/sessions/\(id)").json as? [String: Any] ?? [:]
      return session["status"] as? String == "ready"
    }
    #expect(session["provider"] as? String == "codex")
    #expect(session["vm_ip"] as? String == "127.0.0.1")
    #expect(session["url"] as? String == "https://example.org/")
    let machine = try #require(session["browser_vm_id"] as? String)
    #expect(try world.machines().map { $0["id"] } == [machine])
    #expect(session["created_at"] is String)
    #expect(try world.ask("DELETE", "/api/auth/sessions/\(id)").status == 200)
    #expect(try world.machines().isEmpty)
  }

  @Test("lets nobody in without its token")
  func token() throws {
    let world = try ControllerWorld()
    try world.publish(1)
    try world.start()
    let address = "http://127.0.0.1:\(world.port)"
    func status(_ path: String) throws -> String {
      try runTool("curl", ["-s", "-o", "/dev/null", "-w", "%{http_code}", address + path]).output
    }
    #expect(try status("/health") == "200")
    #expect(try status("/api/vms") == "401")
    #expect(try status("/metrics") == "401")
  }

  @Test("keeps machines ready, of the newest version")
  func keepsReady() throws {
    let world = try ControllerWorld(ready: 1)
    let first = try world.publish(1)
    try world.start()
    try world.eventually("one stands ready") {
      try world.machines().map { $0["state"] } == ["ready"]
    }
    let used = try world.boot()
    #expect(used["version"] == first.description)
    let second = try world.publish(2)
    try world.eventually("the idle one is of the second version") {
      try world.machines().filter { $0["id"] != used["id"] }.map {
        "\($0["version"] ?? "") \($0["state"] ?? "")"
      }
        == ["\(second) ready"]
    }
    #expect(try world.answers(used))
  }

  @Test("takes its machines up again after it was killed")
  func takesUp() throws {
    let world = try ControllerWorld()
    try world.publish(1)
    try world.start()
    let machine = try world.boot()
    let processes = world.machineProcesses
    world.killController()
    #expect(try world.answers(machine))
    #expect(world.catalog.isLeased(try #require(try world.catalog.current("tiny"))))
    try world.start()
    #expect(try world.machines().map { $0["id"] } == [machine["id"]])
    #expect(world.machineProcesses == processes)
    // A machine that ended meanwhile is not there any more.
    world.killController()
    for process in processes { kill(process, SIGKILL) }
    try world.start()
    #expect(try world.machines().isEmpty)
  }
}
