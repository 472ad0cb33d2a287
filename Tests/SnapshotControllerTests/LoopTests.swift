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
    // What other programs read from the table.
    let columns = "session_id, provider, status, browser_vm_id, vm_ip, created_at"
    let row = try runTool(
      "python3",
      [
        "-c",
        """
        import sqlite3, sys
        print(*sqlite3.connect(sys.argv[1]).execute("SELECT \(columns) FROM auth_sessions").fetchone())
        """, (world.folder / "state/controller.db").string,
      ]
    ).succeeded().output
    #expect(
      row == "\(id) codex ready \(machine) 127.0.0.1 \(session["created_at"] as? String ?? "")\n")
    #expect(try world.ask("DELETE", "/api/auth/sessions/\(id)").status == 200)
    #expect(try world.machines().isEmpty)
    #expect(try world.ask("GET", "/api/auth/sessions/\(id)").status == 404)
  }

  @Test("goes on with a sign-in that the controller before it began")
  func takesUpSignIn() throws {
    let world = try ControllerWorld()
    try world.publish(1)
    try world.start()
    let answer = try world.ask("POST", "/api/auth/start", ["provider": "codex"])
    let id = try #require((answer.json as? [String: Any])?["session_id"] as? String)
    world.killController()
    try world.start()
    var session: [String: Any] = [:]
    try world.eventually("the session is ready") {
      session = try world.ask("GET", "/api/auth/sessions/\(id)").json as? [String: Any] ?? [:]
      return session["status"] as? String == "ready"
    }
    let machine = try #require(session["browser_vm_id"] as? String)
    #expect(try world.machines().contains { $0["id"] == machine && $0["role"] == "browser" })
  }

  @Test("forgets a sign-in of which nobody wants to know any more, with its machine")
  func forgetsSignIn() throws {
    let world = try ControllerWorld()
    try world.publish(1)
    try world.start()
    var ids: [String] = []
    for _ in 0..<2 {
      let answer = try world.ask("POST", "/api/auth/start", ["provider": "codex"])
      ids.append(try #require((answer.json as? [String: Any])?["session_id"] as? String))
    }
    var machines: [String?] = []
    try world.eventually("both are ready") {
      let sessions = try ids.map {
        try world.ask("GET", "/api/auth/sessions/\($0)").json as? [String: Any] ?? [:]
      }
      machines = sessions.map { $0["browser_vm_id"] as? String }
      return sessions.allSatisfy { $0["status"] as? String == "ready" }
    }
    world.killController()
    let days = ["31", "29"]
    for (id, days) in zip(ids, days) {
      _ = try runTool(
        "python3",
        [
          "-c",
          """
          import datetime, sqlite3, sys
          at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=int(sys.argv[3]))
          with sqlite3.connect(sys.argv[1]) as database:
              database.execute("UPDATE auth_sessions SET created_at = ? WHERE session_id = ?",
                               (at.strftime("%Y-%m-%dT%H:%M:%S.000Z"), sys.argv[2]))
          """, (world.folder / "state/controller.db").string, id, days,
        ]
      ).succeeded()
    }
    try world.start()
    try world.eventually("the older one has gone") {
      try world.ask("GET", "/api/auth/sessions/\(ids[0])").status == 404
    }
    #expect(try world.ask("GET", "/api/auth/sessions/\(ids[1])").status == 200)
    #expect(try world.machines().map { $0["id"] } == [machines[1]])
    #expect(world.machineProcesses.count == 1)
  }

  @Test("leaves no machine of a sign-in that is cancelled while its machine is being started")
  func cancelledSignIn() throws {
    let world = try ControllerWorld()
    try world.publish(1)
    try world.start()
    for _ in 0..<8 {
      let answer = try world.ask("POST", "/api/auth/start", ["provider": "codex"])
      let id = try #require((answer.json as? [String: Any])?["session_id"] as? String)
      #expect(try world.ask("DELETE", "/api/auth/sessions/\(id)").status == 200)
    }
    try world.eventually("all machines have gone") {
      try world.machines().isEmpty && world.machineProcesses.isEmpty
    }
  }

  @Test("ends the machine of a sign-in that fails")
  func failedSignIn() throws {
    let world = try ControllerWorld()
    try world.publish(1)
    try world.start()
    let answer = try world.ask("POST", "/api/auth/start", ["provider": "refuses"])
    let id = try #require((answer.json as? [String: Any])?["session_id"] as? String)
    try world.eventually("the session failed, and its machine has gone") {
      let session = try world.ask("GET", "/api/auth/sessions/\(id)").json as? [String: Any] ?? [:]
      return try session["status"] as? String == "failed" && world.machines().isEmpty
    }
    #expect(world.machineProcesses.isEmpty)
  }

  @Test(
    "tells numbers that Prometheus' own parser reads, whatever callers named",
    .enabled(if: hasPythonModule("prometheus_client"), "prometheus_client is missing"))
  func metrics() throws {
    let world = try ControllerWorld()
    try world.publish(1)
    try world.start()
    _ = try world.boot()
    let name = "x\"y\\z\nw"
    #expect(try world.ask("POST", "/api/auth/start", ["provider": name]).status == 201)
    let file = try world.folder.write("metrics", try world.metrics())
    let script = """
      import sys
      from prometheus_client.parser import text_string_to_metric_families as parse
      text = open(sys.argv[1]).read()
      samples = {(s.name, *sorted(s.labels.values())): s.value for f in parse(text) for s in f.samples}
      assert samples["snapshot_controller_boots_total", "cli", "good"] == 1, samples
      assert samples["snapshot_controller_catalog_usable", "tiny"] == 1, samples
      assert any(key[0] == "snapshot_controller_vms" and "ready" in key for key in samples), samples
      sessions = [key for key in samples if key[0] == "snapshot_controller_auth_sessions"]
      assert [sys.argv[2] in key for key in sessions] == [True], samples
      try:
        list(parse(text.replace("} 1\\n", "} one\\n")))
      except ValueError:
        sys.exit(0)
      sys.exit("a spoilt text is read")
      """
    let judged = try runPython(["-c", script, file.string, name])
    #expect(judged.status == 0, "\(judged.errors)")
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
    #expect(!world.catalog.isLeased(try #require(try world.catalog.current("tiny"))))
  }
}
