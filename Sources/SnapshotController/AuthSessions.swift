internal import AgentHTTP
internal import Glibc

/// A sign-in, as the table `auth_sessions` has it.
struct AuthSession: Sendable, Equatable {
  var id: String
  /// As the agent knows it: `codex`, `claude_code`, `gemini_cli`.
  var provider: String
  /// `starting` until the agent has it; then the agent's own word; `delivering` and `delivered` once its
  /// credentials go to a machine.
  var status: String
  var machine: String?
  var ip: String?
  var created: String
  var url: String?
  var error: String?
  /// The machine that gets, or got, the credentials.
  var receiver: String?

  init?(_ row: Database.Row) {
    guard let id = row["session_id"], let provider = row["provider"], let status = row["status"],
      let created = row["created_at"]
    else { return nil }
    (self.id, self.provider, self.status, self.created) = (id, provider, status, created)
    (machine, ip) = (row["browser_vm_id"], row["vm_ip"])
    (url, error, receiver) = (row["url"], row["error"], row["cli_vm_id"])
  }

  var isOver: Bool {
    ["ready", "failed", "timeout", "cancelled", "delivering", "delivered"].contains(status)
  }

  var json: JSON {
    [
      "session_id": .string(id), "provider": .string(provider), "status": .string(status),
      "browser_vm_id": .text(machine), "vm_ip": .text(ip), "created_at": .string(created),
      "url": .text(url), "error": .text(error),
      "cli_vm_id": .text(receiver),
    ]
  }
}

/// Signs users in: each session gets a browser machine of its own, whose agent does the work.
struct AuthSessions: Sendable {
  static let role = "browser"
  let fleet: Fleet
  var database: Database { fleet.database }

  func all() throws -> [AuthSession] {
    try database.run("SELECT * FROM auth_sessions ORDER BY created_at, session_id")
      .compactMap(AuthSession.init)
  }

  func session(_ id: String) throws -> AuthSession? {
    try database.run("SELECT * FROM auth_sessions WHERE session_id = ?", id).first
      .flatMap(AuthSession.init)
  }

  /// Begins a sign-in; the rest happens by itself.
  ///
  /// - Parameter receiver: the machine that gets the credentials once they are there.
  func start(_ provider: String, for receiver: String?) throws -> AuthSession? {
    let id = "auth-\(randomText())"
    try database.run(
      "INSERT INTO auth_sessions VALUES (?, ?, 'starting', NULL, NULL, ?, NULL, NULL, ?)", id,
      provider, wallTime(), receiver)
    startThread { carryOut(id) }
    return try session(id)
  }

  /// Goes on with the sessions of a controller that was ended.
  func takeUp() throws {
    try removeOld()
    for session in try all() {
      if session.status == "delivering" {
        // They were in the memory of the last controller alone.
        try fail(session.id, "the controller ended while it delivered the credentials")
      } else if !session.isOver || session.status == "ready" && session.receiver != nil {
        startThread { carryOut(session.id) }
      }
    }
  }

  /// Ends a session with its machine.
  func remove(_ session: AuthSession) throws {
    if let machine = session.machine { try fleet.remove(machine) }
    let row = try database.run(
      "DELETE FROM auth_sessions WHERE session_id = ? RETURNING *", session.id)
    // It may have got one since it was looked up.
    if session.machine == nil, let machine = row.first?["browser_vm_id"] {
      try fleet.remove(machine)
    }
  }

  /// Removes sessions that began too many days ago: nobody waits for them any more.
  func removeOld() throws {
    let limit = wallTime(secondsAgo: fleet.configuration.sessionDays * 86_400)
    let rows = try database.run("SELECT * FROM auth_sessions WHERE created_at < ?", limit)
    for session in rows.compactMap(AuthSession.init) {
      try remove(session)
      fleet.log.write("too old", ["session": .string(session.id)])
    }
  }

  private func carryOut(_ id: String) {
    do {
      guard let session = try session(id) else { return }
      guard let machine = try machine(for: session) else {
        return try fail(id, "no browser machine could be started")
      }
      guard try awaitReady(machine) else {
        return try fail(id, "the browser machine did not become ready")
      }
      if session.status == "starting" {
        let answer = call(
          "POST", "/v1/sessions", at: machine.address, token: machine.token,
          body: ["provider": .string(session.provider), "sessionId": .string(id)])
        // 409: it was begun before our own restart.
        guard let answer, answer.status == 201 || answer.status == 409 else {
          let code = answer?.body?["error"]?["code"]?.string ?? "the agent does not answer"
          return try fail(id, code)
        }
        try note(id, answer.body)
      }
      try follow(id, machine)
      guard let done = try self.session(id) else { return }
      if done.status == "ready", let receiver = done.receiver { try deliver(id, to: receiver) }
      if ["failed", "timeout", "cancelled"].contains(done.status) { try fleet.remove(machine.id) }
    } catch {
      fleet.log.write("session failed", ["session": .string(id), "error": .string("\(error)")])
    }
  }

  private func machine(for session: AuthSession) throws -> Machine? {
    if let id = session.machine { return try database.machine(id) }
    guard let role = fleet.configuration.role(Self.role), let machine = fleet.claim(role)
    else { return nil }
    let row = try database.run(
      "UPDATE auth_sessions SET browser_vm_id = ?, vm_ip = ? WHERE session_id = ? RETURNING *",
      machine.id, machine.ip, session.id)
    guard row.isEmpty else { return machine }
    // The session was removed meanwhile: nobody else knows of its machine.
    try fleet.remove(machine.id)
    return nil
  }

  /// False when the machine failed.
  func awaitReady(_ machine: Machine) throws -> Bool {
    while let found = try database.machine(machine.id) {
      if found.state == .ready { return true }
      usleep(100_000)
    }
    return false
  }

  /// Follows the agent's session to its end.
  private func follow(_ id: String, _ machine: Machine) throws {
    var revision = 0
    while let session = try session(id), !session.isOver {
      let path = "/v1/sessions/\(id)?wait=20&after=\(revision)"
      if let answer = call("GET", path, at: machine.address, token: machine.token, limit: 30) {
        guard answer.status == 200, let body = answer.body else {
          return try fail(id, "the agent lost the session")
        }
        revision = body["revision"]?.integer ?? revision
        try note(id, body)
      } else if try database.machine(machine.id) == nil {
        return try fail(id, "the browser machine ended")
      } else {
        usleep(500_000)
      }
    }
  }

  private func note(_ id: String, _ body: JSON?) throws {
    guard let state = body?["state"]?.string ?? body?["status"]?.string else { return }
    let error = body?["error"]?["code"]?.string ?? body?["error"]?.string
    try database.run(
      "UPDATE auth_sessions SET status = ?, url = ?, error = ? WHERE session_id = ?", state,
      body?["url"]?.string, error, id)
  }

  /// Says that a session failed, and ends its machine, which is of no more use.
  func fail(_ id: String, _ error: String) throws {
    let row = try database.run(
      "UPDATE auth_sessions SET status = 'failed', error = ? WHERE session_id = ? RETURNING *",
      error, id)
    if let machine = row.first?["browser_vm_id"] { try fleet.remove(machine) }
  }
}
