internal import AgentHTTP

/// The controller's API; see `docs/controller.md`.
struct Routes: Sendable {
  let fleet: Fleet
  let sessions: AuthSessions

  /// Answers from a thread of its own: what is asked for may take its time.
  func handle(_ exchange: Exchange) {
    startThread {
      do { try route(exchange) } catch let refusal as Refusal {
        exchange.respond(refusal)
      } catch {
        exchange.respond(Refusal(500, "internal", "\(error)"))
      }
    }
  }

  private func route(_ exchange: Exchange) throws {
    let request = exchange.request
    switch (request.method, request.path.first, request.path.dropFirst().first) {
    case ("GET", "health", nil), ("GET", "healthz", nil):
      exchange.respond(200, ["status": "ok"])
    case ("GET", "metrics", nil):
      let text = fleet.metrics.text(try fleet.database.machines(), try sessions.all())
      exchange.respond(200, type: "text/plain; version=0.0.4", body: Array(text.utf8))
    case (_, "api", "vms"): try machines(exchange, Array(request.path.dropFirst(2)))
    case (_, "api", "auth"): try auth(exchange, Array(request.path.dropFirst(2)))
    case ("GET", "api", "images"):
      let images = Set(fleet.configuration.roles.map(\.image)).sorted()
      exchange.respond(
        200,
        .array(images.map { ["image": .string($0), "version": .text(fleet.version(for: $0))] }))
    default: throw Refusal(404, "unknown_path", "there is nothing at this path")
    }
  }

  private func machines(_ exchange: Exchange, _ path: [String]) throws {
    switch (exchange.request.method, path.count) {
    case ("GET", 0): exchange.respond(200, .array(try fleet.database.machines().map(\.json)))
    case ("POST", 0):
      let name = try exchange.request.object()["role"]?.string ?? ""
      guard let role = fleet.configuration.role(name) else {
        throw Refusal(404, "unknown_role", "there is no role of that name")
      }
      guard let machine = fleet.claim(role) else {
        throw Refusal(503, "no_machine", "no machine can be started now; the log says why")
      }
      exchange.respond(202, machine.json)
    case ("GET", 1): exchange.respond(200, try machine(path[0]).json)
    case ("DELETE", 1):
      try fleet.remove(try machine(path[0]).id)
      exchange.respond(200, ["id": .string(path[0])])
    default: throw Refusal(404, "unknown_path", "there is nothing at this path")
    }
  }

  private func auth(_ exchange: Exchange, _ path: [String]) throws {
    switch (exchange.request.method, path) {
    case ("POST", ["start"]):
      let body = try exchange.request.object()
      guard let provider = body["provider"]?.string, !provider.isEmpty, provider.utf8.count <= 64
      else { throw Refusal(400, "bad_value", "'provider' is needed, as text") }
      guard fleet.configuration.role(AuthSessions.role) != nil else {
        throw Refusal(503, "no_browser", "there is no role '\(AuthSessions.role)'")
      }
      let receiver = try receiver(body)?.id
      guard let session = try sessions.start(provider, for: receiver) else { return }
      exchange.respond(201, session.json)
    case ("GET", ["sessions"]):
      exchange.respond(200, .array(try sessions.all().map(\.json)))
    case ("GET", _) where path.count == 2 && path[0] == "sessions":
      exchange.respond(200, try session(path[1]).json)
    case ("POST", _) where path.count == 3 && path[0] == "sessions" && path[2] == "credentials":
      guard let receiver = try receiver(try exchange.request.object()) else {
        throw Refusal(400, "bad_value", "'vm' is needed, the id of a machine")
      }
      let id = try session(path[1]).id
      guard try sessions.deliver(id, to: receiver.id) else {
        let status = try session(id).status
        throw Refusal(409, "not_ready", "the session is '\(status)': there is nothing to deliver")
      }
      exchange.respond(200, try session(id).json)
    case ("DELETE", _) where path.count == 2 && path[0] == "sessions":
      try sessions.remove(try session(path[1]))
      exchange.respond(200, ["session_id": .string(path[1])])
    default: throw Refusal(404, "unknown_path", "there is nothing at this path")
    }
  }

  /// The machine that a request names to get credentials; nil where it names none.
  private func receiver(_ body: [String: JSON]) throws -> Machine? {
    guard let value = body["vm"], value != .null else { return nil }
    guard let id = value.string else {
      throw Refusal(400, "bad_value", "'vm' must be the id of a machine")
    }
    return try machine(id)
  }

  private func machine(_ id: String) throws -> Machine {
    guard let machine = try fleet.database.machine(id) else {
      throw Refusal(404, "unknown_vm", "there is no machine of that id")
    }
    return machine
  }

  private func session(_ id: String) throws -> AuthSession {
    guard let session = try sessions.session(id) else {
      throw Refusal(404, "unknown_session", "there is no session of that id")
    }
    return session
  }
}
