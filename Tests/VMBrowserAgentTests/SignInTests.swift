import AgentHTTP
import Foundation
import Glibc
import Support
import Terminal
import Testing

@Suite(
  "Signing in", .enabled(if: hasTool("python3"), "needs python3 for the fixtures"))
struct SignInTests {
  @Test(
    "goes through the browser to credentials, which are handed out once",
    arguments: ["codex", "claude_code"])
  func loopback(provider: String) throws {
    let agent = try AgentProcess()
    let id = try agent.begin(provider, ["sessionId": "abc-1"])
    #expect(id == "abc-1")
    let session = try agent.wait(id, for: "ready")
    #expect(session["state"] == "ready", "\(session)")
    #expect(session["hasCredentials"] == true)
    #expect(session["url"]?.string?.contains("redirect_uri=http%3A%2F%2F127.0.0.1%3A") == true)

    let (status, answer) = try agent.ask("GET", "/v1/sessions/\(id)/credentials")
    #expect(status == 200)
    let file = try #require(answer["files"]?.array?.first)
    #expect(file["path"]?.string?.hasPrefix(provider == "codex" ? ".codex/" : ".claude/") == true)
    let content = try JSON(parsing: try #require(file["content"]?.string).utf8)
    let secret = try #require(content["tokens"]?["access_token"]?.string)
    #expect(try agent.ask("GET", "/v1/sessions/\(id)/credentials").0 == 410)

    let log = try Support.ask("GET", "/v1/sessions/\(id)/log", port: agent.port, token: token).body
    #expect(log.contains("state ready") && log.contains("state=[masked]"))
    #expect(!log.contains(secret))
    var facts = stat()
    let path = (agent.folder / "logs/\(provider)-login-\(id).log").string
    #expect(stat(path, &facts) == 0 && facts.st_mode & 0o777 == 0o600)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: (agent.folder / "sessions").string) == [])
    #expect(agent.others.isEmpty)
    #expect(agent.stop() == .exited(0))
  }

  @Test(
    "by a pasted code takes the address from the hyperlink, and a second try after a wrong code")
  func pastedCode() throws {
    let agent = try AgentProcess(browser: "")
    let id = try agent.begin("claude_code", ["mode": "code"])
    var session = try agent.wait(id, for: "pending")
    let url = try #require(session["url"]?.string)
    #expect(!url.contains("redirect_uri") && url.contains("code_challenge="))
    #expect(try agent.ask("POST", "/v1/sessions/\(id)/code", ["code": "not-the-code-1"]).0 == 202)
    _ = try agent.wait(id, for: "submitting")
    session = try agent.wait(id, for: "pending")
    #expect(session["acceptsCode"] == true, "\(session)")
    #expect(try agent.ask("GET", "/v1/sessions/\(id)/credentials").0 == 409)
    let code = try runTool("curl", ["-s", url]).output
    #expect(try agent.ask("POST", "/v1/sessions/\(id)/code", ["code": .string(code)]).0 == 202)
    #expect(try agent.wait(id, for: "ready")["state"] == "ready")
    let log = try Support.ask("GET", "/v1/sessions/\(id)/log", port: agent.port, token: token).body
    #expect(log.contains("Invalid code [masked]") && !log.contains("not-the-code-1"))
  }

  @Test("answers a question, reads an address from a drawn screen, and needs no end of the program")
  func drawnScreen() throws {
    let agent = try AgentProcess(browser: "")
    let id = try agent.begin("gemini_cli")
    let session = try agent.wait(id, for: "pending")
    let code = try runTool("curl", ["-s", try #require(session["url"]?.string)]).output
    #expect(code.count == 32)
    #expect(try agent.ask("POST", "/v1/sessions/\(id)/code", ["code": .string(code)]).0 == 202)
    #expect(try agent.wait(id, for: "ready")["state"] == "ready")
    #expect(agent.others.isEmpty)
  }

  @Test("works for controllers of before")
  func before() throws {
    let agent = try AgentProcess()
    #expect(try agent.ask("GET", "/health").1["status"] == "ok")
    #expect(try agent.ask("GET", "/credentials/status").0 == 404)
    let (status, begun) = try agent.ask("POST", "/auth/codex_cli", ["sessionId": "old-7"])
    #expect(status == 200 && begun["provider"] == "codex")
    #expect(try agent.ask("POST", "/auth/codex", ["sessionId": "old-7"]).0 == 200)
    _ = try agent.wait("old-7", for: "ready")
    #expect(try agent.ask("GET", "/credentials/status?sessionId=old-7").1["status"] == "ready")
    let (_, got) = try agent.ask("GET", "/credentials/get?sessionId=old-7")
    #expect(got["credentials"]?["~/.codex/auth.json"]?.string?.contains("tok-") == true)
    #expect(try agent.ask("GET", "/credentials/get").0 == 410)
  }

  @Test("streams every state to who watches")
  func events() throws {
    let agent = try AgentProcess()
    let id = try agent.begin("codex")
    let answer = try Support.ask(
      "GET", "/v1/sessions/\(id)/events", port: agent.port, token: token,
      headers: ["Accept: text/event-stream"])
    #expect(answer.body.contains("\"state\":\"pending\""))
    #expect(answer.body.contains("\"state\":\"ready\""))
    #expect(answer.body.hasSuffix("0\r\n\r\n"))
  }

  @Test("that nobody finishes ends after its time, with all that ran for it")
  func timeout() throws {
    let agent = try AgentProcess(browser: "sleep 1000")
    let id = try agent.begin("codex", ["timeoutSec": 2])
    #expect(try agent.wait(id, for: "timeout")["state"] == "timeout")
    let deadline = ContinuousClock.now + .seconds(5)
    while !agent.others.isEmpty, .now < deadline { usleep(10_000) }
    #expect(agent.others.isEmpty)
    #expect(try agent.ask("GET", "/v1/sessions/\(id)/credentials").0 == 409)
  }

  @Test("of one provider happens once at a time, and can be cancelled")
  func exclusive() throws {
    let agent = try AgentProcess(browser: "")
    let id = try agent.begin("codex")
    _ = try agent.wait(id, for: "pending")
    #expect(try agent.ask("POST", "/v1/sessions", ["provider": "codex"]).0 == 409)
    #expect(
      try agent.ask("POST", "/v1/sessions", ["provider": "claude_code", "sessionId": .string(id)]).0
        == 409)
    let (status, session) = try agent.ask("DELETE", "/v1/sessions/\(id)")
    #expect(status == 200 && session["state"] == "cancelled")
    #expect(agent.others.isEmpty)
    #expect(try agent.ask("POST", "/v1/sessions/\(id)/code", ["code": "late"]).0 == 409)
    #expect(try agent.ask("GET", "/v1/sessions").1["sessions"]?.array?.count == 1)
  }

  @Test("fails in the program's own words, without its secrets")
  func refusals() throws {
    let agent = try AgentProcess()
    let refused = try agent.wait(try agent.begin("refuses"), for: "failed")["error"]
    #expect(refused?["code"] == "cli_exited")
    #expect(
      refused?["message"]
        == "the program exited with status 1: Error: no network, token [masked] is of no use")
    let missing = try agent.wait(try agent.begin("missing"), for: "failed")["error"]
    #expect(missing?["code"] == "cli_missing")
  }

  @Test("survives programs that flood, fork or never end, and leaves nothing running")
  func hostile() throws {
    let agent = try AgentProcess()
    let flood = try agent.wait(try agent.begin("floods"), for: "failed")
    #expect(flood["error"]?["code"] == "too_much_output")
    let forks = try agent.begin("forks", ["timeoutSec": 2])
    for provider in ["sleeps", "sleeps", "sleeps"] {
      _ = try agent.begin(provider, ["timeoutSec": 60])
    }
    let (status, answer) = try agent.ask("POST", "/v1/sessions", ["provider": "sleeps"])
    #expect(status == 429, "\(answer)")
    #expect(try agent.wait(forks, for: "timeout")["state"] == "timeout")
    let status_ = try String(contentsOfFile: "/proc/\(agent.id)/status", encoding: .utf8)
    let resident = status_.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    let kilobytes = try #require(
      resident.flatMap { Int($0.split(separator: " ").dropLast().last ?? "") })
    #expect(kilobytes < 100_000)
    #expect(agent.stop() == .exited(0))
    #expect(agent.others.isEmpty)
    #expect(try runTool("pgrep", ["-f", "^sleep 1009$"]).output == "")
  }

  @Test("refuses requests that make no sense")
  func nonsense() throws {
    let agent = try AgentProcess()
    for (method, target, body, status, code) in [
      ("POST", "/v1/sessions", #"{"provider":"nobody"}"#, 404, "unknown_provider"),
      ("POST", "/v1/sessions", "{}", 400, "no_provider"),
      ("POST", "/v1/sessions", #"{"provider":"codex","mode":"code"}"#, 400, "unknown_mode"),
      (
        "POST", "/v1/sessions", #"{"provider":"codex","sessionId":"../../etc"}"#, 400,
        "bad_session_id"
      ),
      ("POST", "/v1/sessions", #"{"provider":"codex","sessionId":""}"#, 400, "bad_session_id"),
      ("POST", "/v1/sessions", #"{"provider":"codex","sessionId":7}"#, 400, "bad_value"),
      ("POST", "/v1/sessions", #"{"provider":"codex","timeoutSec":0}"#, 400, "bad_timeout"),
      ("POST", "/v1/sessions", "[1]", 400, "invalid_json"),
      ("POST", "/v1/sessions", "{", 400, "invalid_json"),
      ("PUT", "/v1/sessions", "{}", 405, "bad_method"),
      ("GET", "/v1/sessions/none", nil, 404, "unknown_session"),
      ("GET", "/v1/sessions/..%2F..%2Fetc%2Fpasswd/log", nil, 400, "bad_session_id"),
      ("POST", "/auth/..%2Fx", "{}", 404, "unknown_provider"),
      ("GET", "/credentials/get?sessionId=%2Fetc", nil, 400, "bad_session_id"),
      ("GET", "/nothing", nil, 404, "unknown_path"),
    ] as [(String, String, String?, Int, String)] {
      let answer = try Support.ask(method, target, port: agent.port, token: token, body: body)
      #expect(answer.status == status, "\(method) \(target) \(body ?? "")")
      #expect(try JSON(parsing: answer.body.utf8)["error"]?["code"]?.string == code)
    }
  }

  @Test("wants the token, and hands its own address pipe to nobody else")
  func tokenAndPipe() throws {
    let agent = try AgentProcess()
    #expect(
      try Support.ask("GET", "/v1/sessions", port: agent.port, token: "wrong-wrong-wrong").status
        == 401)
    let folder = try TemporaryFolder()
    let program = (folder / "xdg-open").string
    try FileManager.default.createSymbolicLink(
      atPath: program, withDestinationPath: builtProgram("vm-browser-agent"))
    let result = try runTool(program, ["https://a.example/"])
    #expect(result.status == 1)
    #expect(result.errors == "open-url: no sign-in is running: SIGN_IN_LINK_PIPE is not set\n")
  }
}
