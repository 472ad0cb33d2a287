internal import AgentHTTP
internal import Glibc

extension AuthSessions {
  /// Carries the credentials of a finished sign-in from its browser machine to another machine, once.
  ///
  /// They pass through this process's memory only: neither database nor log gets any of them. The browser
  /// machine, which has wiped them by then, ends.
  ///
  /// - Returns: false when there is nothing to deliver, or not any more.
  @discardableResult
  func deliver(_ id: String, to receiver: String) throws -> Bool {
    // Whoever changes the row delivers: nobody else can.
    let row = try database.run(
      "UPDATE auth_sessions SET status = 'delivering', cli_vm_id = ? "
        + "WHERE session_id = ? AND status = 'ready' RETURNING *", receiver, id)
    guard let session = row.first.flatMap(AuthSession.init) else { return false }
    if let reason = try failure(of: session, to: receiver) {
      try fail(id, reason)
      fleet.log.write("not delivered", ["session": .string(id), "reason": .string(reason)])
    } else {
      try database.run("UPDATE auth_sessions SET status = 'delivered' WHERE session_id = ?", id)
      fleet.log.write("delivered", ["session": .string(id), "vm": .string(receiver)])
      if let machine = session.machine { try fleet.remove(machine) }
    }
    return true
  }

  /// Why the credentials did not arrive; nil when they did.
  private func failure(of session: AuthSession, to receiver: String) throws -> String? {
    // First the receiver: the browser machine gives them once.
    guard let machine = try database.machine(receiver), try awaitReady(machine) else {
      return "machine '\(receiver)' is not there any more"
    }
    guard let browser = try session.machine.flatMap(database.machine) else {
      return "the browser machine is not there any more"
    }
    let given = call(
      "GET", "/v1/sessions/\(session.id)/credentials", at: browser.address, token: browser.token,
      limit: 10)
    guard let given, given.status == 200, let files = given.body?["files"], files.array != nil
    else { return "the browser machine has no credentials: \(code(of: given))" }
    let provider = given.body?["provider"]?.string ?? session.provider
    var taken: Answer?
    for attempt in 0..<5 {
      if attempt > 0 { usleep(500_000) }
      taken = call(
        "PUT", "/v1/credentials/\(provider)", at: machine.address, token: machine.token,
        body: ["files": files], limit: 10)
      if taken?.status == 200 { return nil }
      // What it refuses once, it refuses again.
      if let status = taken?.status, status < 500 { break }
    }
    return "machine '\(receiver)' did not take the credentials: \(code(of: taken))"
  }

  /// What an agent said of a request that it refused: its code, never its text.
  private func code(of answer: Answer?) -> String {
    guard let answer else { return "it does not answer" }
    return answer.body?["error"]?["code"]?.string ?? "status \(answer.status)"
  }
}
