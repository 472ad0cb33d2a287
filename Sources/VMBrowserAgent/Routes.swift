internal import AgentHTTP
internal import Glibc
internal import Synchronization

/// Answers the requests of the controller; see `docs/agents.md`.
struct Routes: Sendable {
  let signIns: SignIns

  static let longestWait = 60

  /// Answers on the server's thread, but for what may have to ask a program for its version first.
  func handle(_ exchange: Exchange) {
    if exchange.request.method == "POST", exchange.request.path.count == 2 {
      return startThread { answer(exchange) }
    }
    answer(exchange)
  }

  private func answer(_ exchange: Exchange) {
    do throws(Refusal) {
      try route(exchange)
    } catch { exchange.respond(error) }
  }

  private func route(_ exchange: Exchange) throws(Refusal) {
    let request = exchange.request
    switch (request.method, request.path.count, request.path.first) {
    case ("GET", 1, "health"), ("GET", 1, "healthz"):
      exchange.respond(200, ["status": "ok", "agent": "vm-browser-agent", "api": 1])
    case ("POST", 2, "auth"): try startAsBefore(exchange)
    case ("GET", 2, "credentials"): try credentialsAsBefore(exchange)
    case (_, _, "v1") where request.path.dropFirst().first == "sessions":
      try sessions(exchange, Array(request.path.dropFirst(2)))
    default: throw Refusal(404, "unknown_path", "there is nothing at this path")
    }
  }

  private func sessions(_ exchange: Exchange, _ rest: [String]) throws(Refusal) {
    let method = exchange.request.method
    switch (method, rest.count) {
    case ("POST", 0):
      let signIn = try signIns.start(wish(of: exchange.request.object()))
      let place = [("Location", "/v1/sessions/\(signIn.id)")]
      return exchange.respond(201, description(of: signIn), headers: place)
    case ("GET", 0):
      return exchange.respond(200, ["sessions": .array(signIns.list.map(description))])
    case (_, 0): throw Refusal(405, "bad_method", "sessions take GET and POST")
    default: break
    }
    let signIn = try signIns.find(rest[0])
    switch (method, rest.dropFirst().first, rest.count) {
    case ("GET", nil, 1): try show(signIn, exchange)
    case ("DELETE", nil, 1):
      signIn.post(.cancelled)
      signIn.wipe()
      answerWhenOver(signIn, exchange)
    case ("GET", "events", 2): Watch(signIn, exchange).start()
    case ("POST", "code", 2): try submit(signIn, exchange)
    case ("GET", "credentials", 2):
      let files = try signIn.takeCredentials()
      exchange.respond(200, ["provider": .string(signIn.provider.name), "files": .array(files)])
    case ("GET", "log", 2):
      let text = contents(of: signIn.logPath, limit: SessionLog.largest) ?? []
      exchange.respond(200, type: "text/plain; charset=utf-8", body: text)
    default: throw Refusal(404, "unknown_path", "a session has no such part")
    }
  }

  private func wish(of body: [String: JSON]) throws(Refusal) -> SignIns.Wish {
    guard let provider = body["provider"]?.string else {
      throw Refusal(400, "no_provider", "'provider' is needed, as text")
    }
    let kinds: [(String, Bool)] = [
      ("sessionId", body["sessionId"]?.string != nil), ("mode", body["mode"]?.string != nil),
      ("timeoutSec", body["timeoutSec"]?.integer != nil),
      ("openBrowser", body["openBrowser"]?.bool != nil),
    ]
    for (key, isFit) in kinds where !isFit && body[key] != nil && body[key] != .null {
      throw Refusal(400, "bad_value", "'\(key)' has a value of the wrong kind")
    }
    return SignIns.Wish(
      provider: provider, id: body["sessionId"]?.string, mode: body["mode"]?.string,
      timeoutSeconds: body["timeoutSec"]?.integer, opensBrowser: body["openBrowser"]?.bool ?? true)
  }

  /// `GET /v1/sessions/{id}`, at once or after the next change.
  private func show(_ signIn: SignIn, _ exchange: Exchange) throws(Refusal) {
    let query = exchange.request.query
    guard let text = query["wait"] else { return exchange.respond(200, description(of: signIn)) }
    guard let seconds = Int(text), (0...Self.longestWait).contains(seconds) else {
      throw Refusal(400, "bad_wait", "'wait' must be from 0 to \(Self.longestWait) seconds")
    }
    let known = query["after"].flatMap { Int($0) } ?? signIn.facts.machine.revision
    LongPoll(signIn, exchange) { signIn in
      let facts = signIn.facts
      return facts.machine.state.isFinal ? signIn.isOver : facts.machine.revision > known
    }.start(.seconds(seconds))
  }

  private func answerWhenOver(_ signIn: SignIn, _ exchange: Exchange) {
    LongPoll(signIn, exchange) { $0.isOver }.start(.seconds(10))
  }

  private func submit(_ signIn: SignIn, _ exchange: Exchange) throws(Refusal) {
    guard let code = try exchange.request.object()["code"]?.string, !code.isEmpty,
      code.utf8.count <= 4000, code.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
    else { throw Refusal(400, "bad_code", "'code' must be a line of text") }
    let state = signIn.facts.machine.state
    guard state == .pending || state == .submitting else {
      throw Refusal(409, "not_pending", "the session is '\(state.rawValue)' and takes no code")
    }
    signIn.post(.code(code))
    exchange.respond(202, description(of: signIn))
  }

  // What controllers of before use.

  private func startAsBefore(_ exchange: Exchange) throws(Refusal) {
    var body = try exchange.request.object()
    body["provider"] = .string(exchange.request.path[1])
    let wish = try wish(of: body)
    // The same request again is about the same session.
    if let id = wish.id, let running = try? signIns.find(id),
      running.provider.answers(to: wish.provider)
    {
      return exchange.respond(200, description(of: running))
    }
    exchange.respond(200, description(of: try signIns.start(wish)))
  }

  private func credentialsAsBefore(_ exchange: Exchange) throws(Refusal) {
    let signIn: SignIn
    if let id = exchange.request.query["sessionId"] {
      signIn = try signIns.find(id)
    } else if let newest = signIns.list.last {
      signIn = newest
    } else {
      throw Refusal(404, "unknown_session", "there is no session")
    }
    switch exchange.request.path[1] {
    case "status": exchange.respond(200, description(of: signIn))
    case "get":
      var files: [String: JSON] = [:]
      for file in try signIn.takeCredentials() {
        if let path = file["path"]?.string { files["~/\(path)"] = file["content"] }
      }
      exchange.respond(
        200, ["provider": .string(signIn.provider.name), "credentials": .object(files)])
    default: throw Refusal(404, "unknown_path", "there is nothing at this path")
    }
  }
}

/// A session as clients see it.
func description(of signIn: SignIn) -> JSON {
  let facts = signIn.facts
  let machine = facts.machine
  let left = max(0, (signIn.timeout - signIn.started.duration(to: .now)).components.seconds)
  return [
    "sessionId": .string(signIn.id), "provider": .string(signIn.provider.name),
    "mode": .string(signIn.mode.rawValue), "state": .string(machine.state.rawValue),
    "status": .string(machine.state.rawValue), "revision": .integer(machine.revision),
    "url": .text(machine.url), "acceptsCode": .bool(machine.asksForCode),
    "expiresInSec": .integer(machine.state.isFinal ? 0 : Int(left)),
    "hasCredentials": .bool(facts.hasCredentials),
    "error": machine.failure.map { ["code": .string($0.code), "message": .string($0.message)] }
      ?? .null,
  ]
}
