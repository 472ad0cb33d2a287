import Foundation
import Support
import Testing

/// From a browser machine to the machine that works with them.
@Suite(
  "Credentials of a sign-in", .enabled(if: canRunMachines, "needs python3 and curl"), .serialized)
struct CredentialTests {
  /// What a machine was given, a line for each time.
  private func received(_ world: ControllerWorld, _ machine: [String: String]) throws -> [String] {
    let file = world.folder / "state/vms/\(machine["id"] ?? "")/disk.got"
    guard let data = FileManager.default.contents(atPath: file.string) else { return [] }
    return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  private func session(_ world: ControllerWorld, _ id: String) throws -> [String: Any] {
    try world.ask("GET", "/api/auth/sessions/\(id)").json as? [String: Any] ?? [:]
  }

  private func begin(_ world: ControllerWorld, for machine: String? = nil) throws -> String {
    var body = ["provider": "codex"]
    body["vm"] = machine
    let answer = try world.ask("POST", "/api/auth/start", body)
    #expect(answer.status == 201, "\(answer)")
    return try #require((answer.json as? [String: Any])?["session_id"] as? String)
  }

  @Test("go to the machine that was named, once, and are written down nowhere")
  func delivered() throws {
    let world = try ControllerWorld()
    try world.publish(1)
    try world.start()
    let machine = try world.boot()
    let id = try begin(world, for: machine["id"])
    try world.eventually("they are delivered") {
      try session(world, id)["status"] as? String == "delivered"
    }
    #expect(
      try received(world, machine)
        == ["/v1/credentials/codex {\"token\": \"\(ControllerWorld.secret)\"}"])
    #expect(try session(world, id)["cli_vm_id"] as? String == machine["id"])
    try world.eventually("the browser machine ended") {
      try world.machines().map { $0["id"] } == [machine["id"]]
    }
    // Not again, neither by hand nor by a new controller.
    let path = "/api/auth/sessions/\(id)/credentials"
    #expect(try world.ask("POST", path, ["vm": machine["id"] ?? ""]).status == 409)
    world.killController()
    try world.start()
    #expect(try session(world, id)["status"] as? String == "delivered")
    #expect(try received(world, machine).count == 1)

    #expect(world.log.contains("\"delivered\"") && !world.log.contains(ControllerWorld.secret))
    for name in ["controller.db", "controller.db-wal", "tiny.json"] {
      let file = (world.folder / "state/\(name)").string
      let data = FileManager.default.contents(atPath: file) ?? Data()
      #expect(data.range(of: Data(ControllerWorld.secret.utf8)) == nil, "\(name)")
    }
  }

  @Test("go to a machine by hand, when the session is ready")
  func byHand() throws {
    let world = try ControllerWorld()
    try world.publish(1)
    try world.start()
    let machine = try world.boot()
    let id = try begin(world)
    try world.eventually("the session is ready") {
      try session(world, id)["status"] as? String == "ready"
    }
    let path = "/api/auth/sessions/\(id)/credentials"
    #expect(try world.ask("POST", path, [:]).status == 400)
    #expect(try world.ask("POST", path, ["vm": "vm-unknown"]).status == 404)
    let answer = try world.ask("POST", path, ["vm": machine["id"] ?? ""])
    #expect(answer.status == 200)
    #expect((answer.json as? [String: Any])?["status"] as? String == "delivered")
    #expect(try received(world, machine).count == 1)
  }

  @Test("are lost, and the session says so, when their receiver has gone")
  func gone() throws {
    let world = try ControllerWorld()
    try world.publish(1)
    try world.start()
    let machine = try world.boot()
    let id = try begin(world, for: machine["id"])
    _ = try world.ask("DELETE", "/api/vms/\(machine["id"] ?? "")")
    try world.eventually("the session failed, or was faster") {
      ["failed", "delivered"].contains(try session(world, id)["status"] as? String)
    }
    let ended = try session(world, id)
    if ended["status"] as? String == "failed" {
      #expect((ended["error"] as? String)?.contains("is not there any more") == true)
    }
    #expect(try world.ask("POST", "/api/auth/start", ["provider": "x", "vm": "y"]).status == 404)
  }
}
