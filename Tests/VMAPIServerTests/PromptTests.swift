import AgentHTTP
import Foundation
import Glibc
import Support
import Terminal
import Testing

private let token = "test-token-0123456789"

/// What a test did not expect to happen while it prepared.
private struct Unexpected: Error {
  var what: String
}

/// The built server, with fixture programs to run.
private final class ServerProcess {
  let folder: TemporaryFolder
  let port: Int
  private let server: Child

  /// - Parameter programs: folder of programs to use in place of the fixtures.
  init(_ extra: String..., programs: String? = nil) throws {
    folder = try TemporaryFolder()
    try folder.write("token", token)
    try folder.write("home/work/.keep", "")
    try folder.write("bin/.keep", "")
    for name in ["claude", "codex", "gemini"] {
      try FileManager.default.createSymbolicLink(
        atPath: (folder / "bin/\(name)").string,
        withDestinationPath: fixture("prompts/cli.sh").path)
    }
    let path = "\(programs ?? (folder / "bin").string):/usr/local/bin:/usr/bin:/bin"
    let arguments = [
      "--listen", "127.0.0.1:0", "--token-file", (folder / "token").string, "--home",
      (folder / "home").string, "--path", path,
    ]
    server = try Child.start(
      Command(
        "/usr/bin/env", unprivileged([builtProgram("vm-api-server")] + arguments + extra),
        environment: ["PATH": path]))
    var line = ""
    while !line.hasSuffix("\n") {
      guard case .errors(let bytes) = server.next(before: .now + .seconds(20)) else {
        throw Unexpected(what: "no line: \(line)")
      }
      line += String(decoding: bytes, as: UTF8.self)
    }
    guard let port = try JSON(parsing: line.split(separator: "\n")[0].utf8)["port"]?.integer else {
      throw Unexpected(what: line)
    }
    self.port = port
  }

  var id: Int32 { server.id }

  func stop() -> Ending { server.stop(grace: .seconds(8)) }

  func ask(_ method: String, _ target: String, _ body: String? = nil) throws -> HTTPAnswer {
    try Support.ask(method, target, port: port, token: token, body: body)
  }

  /// Sends a prompt and gives all events of the answer.
  func events(_ prompt: String, _ more: String = "", provider: String = "claude") throws -> [JSON] {
    let body = "{\"provider\":\"\(provider)\",\"prompt\":\"\(prompt)\"\(more)}"
    return try Self.events(in: ask("POST", "/prompt", body).body)
  }

  /// Sends a prompt and gives the connection on which the answer comes.
  func begin(_ prompt: String) throws -> Connection {
    let connection = try Connection(port: port)
    try connection.send(
      requestText(
        "POST", "/prompt", token: token, body: "{\"provider\":\"claude\",\"prompt\":\"\(prompt)\"}")
    )
    return connection
  }

  /// The JSON lines of an answer in chunks.
  static func events(in body: String) throws -> [JSON] {
    try body.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("{") }
      .map { try JSON(parsing: $0.utf8) }
  }

  func waitForNumber(_ number: String) throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while try !ask("GET", "/metrics").body.contains(number + "\n") {
      guard .now < deadline else { throw Unexpected(what: try ask("GET", "/metrics").body) }
      usleep(10_000)
    }
  }
}

@Suite(
  "Prompts to the real programs",
  .enabled(if: isLong, "downloads 200 MB of wheels; set BUILD_SNAPSHOT_LONG_TESTS=1"),
  .enabled(if: hasTool("python3"), "needs pip"))
struct RealPromptTests {
  @Test("are answered in claude's own words, with what it used up")
  func claude() throws {
    let folder = try unpackPrograms(
      of: "claude-agent-sdk==0.2.187", ["claude": "claude_agent_sdk/_bundled/claude"])
    let server = try ServerProcess(programs: (folder / "bin").string)
    let events = try server.events("say hi", ",\"timeout\":60")
    #expect(events.contains { $0["text"]?.string?.contains("\"type\":\"result\"") == true })
    #expect(events.last?["status"] == "exited")
    #expect(events.last?["usage"]?["output_tokens"]?.integer != nil)
  }

  @Test("are given up after their time, as codex without a network tries on and on")
  func codex() throws {
    let folder = try unpackPrograms(
      of: "openai-codex-cli-bin==0.163.0", ["codex": "codex_cli_bin/bin/codex"])
    let server = try ServerProcess(programs: (folder / "bin").string)
    let events = try server.events("say hi", ",\"timeout\":4", provider: "codex")
    #expect(events.contains { $0["text"]?.string?.contains("thread.started") == true })
    // With a network it would be told that nobody is signed in.
    #expect(["timeout", "exited"].contains(events.last?["status"]?.string))
    #expect(try runTool("pgrep", ["-f", "^\((folder / "bin").string)/"]).output == "")
  }
}

@Suite("Prompts", .serialized)
struct PromptTests {
  @Test(
    "run headless and stream their output, their status and what they used up",
    arguments: ["claude_code", "codex_cli", "gemini"])
  func streaming(provider: String) throws {
    let server = try ServerProcess()
    let events = try server.events("hello there", provider: provider)
    #expect(events.map { $0["event"]?.string } == ["queued", "started", "output", "end"])
    #expect(events[2]["text"]?.string?.contains("\"text\":\"hello there\"") == true)
    let end = events[3]
    #expect(end["status"] == "exited" && end["exitCode"] == 0 && end["signal"] == .null)
    #expect(end["usage"] == ["input_tokens": 3, "output_tokens": 5])
    #expect(server.stop() == .exited(0))
  }

  @Test("tell how they failed")
  func failure() throws {
    let server = try ServerProcess()
    let events = try server.events("fail 9")
    #expect(events.last?["exitCode"] == 9)
    #expect(events.contains { $0["stream"] == "stderr" && $0["text"] == "cannot do that\n" })
    try FileManager.default.removeItem(atPath: (server.folder / "bin/codex").string)
    let missing = try server.events("x", provider: "codex")
    #expect(missing.last?["status"] == "failed")
    #expect(missing.last?["message"]?.string?.hasPrefix("cannot start 'codex'") == true)
  }

  @Test("keep characters whole, and come as server-sent events for who asks")
  func text() throws {
    let server = try ServerProcess()
    let texts = try server.events("binary").compactMap { $0["text"]?.string }
    #expect(texts.joined() == "aéb\u{FFFD}c\n")
    let answer = try Support.ask(
      "POST", "/v1/prompts", port: server.port, token: token,
      body: "{\"provider\":\"claude\",\"prompt\":\"x\"}", headers: ["Accept: text/event-stream"])
    #expect(answer.body.contains("event: end\ndata: {"))
  }

  @Test("work below the home folder only, without a terminal")
  func folders() throws {
    let server = try ServerProcess()
    let home = (server.folder / "home").string
    let text = try server.events("where", ",\"cwd\":\"work\"").compactMap { $0["text"]?.string }
    #expect(text.joined() == "\(home)/work\n\(home)\nno terminal\n")
    try FileManager.default.createSymbolicLink(
      atPath: "\(home)/out", withDestinationPath: "/etc")
    for bad in ["/etc", "..", "out", "none", "work/.keep", "\\u0000"] {
      let body = "{\"provider\":\"claude\",\"prompt\":\"x\",\"cwd\":\"\(bad)\"}"
      #expect(try server.ask("POST", "/prompt", body).status == 400, "\(bad)")
    }
  }

  @Test("wait for their turn, and are refused when too many wait")
  func queue() throws {
    let server = try ServerProcess("--most-running", "1", "--most-waiting", "1")
    let first = try server.begin("sleep")
    let started = try first.receiveText { $0.contains("started") }
    let second = try server.begin("later")
    #expect(try second.receiveText { $0.contains("queued") }.contains("\"position\":1"))
    #expect(
      try server.ask("POST", "/prompt", "{\"provider\":\"claude\",\"prompt\":\"x\"}").status == 429)
    let line = started.split(whereSeparator: \.isNewline).first { $0.hasPrefix("{") }
    let id = try #require(try JSON(parsing: Array((line ?? "").utf8))["id"]?.string)
    #expect(try server.ask("DELETE", "/v1/prompts/\(id)").status == 202)
    #expect(try first.receiveText().contains("\"status\":\"cancelled\""))
    #expect(try second.receiveText().contains("\"exitCode\":0"))
    try server.waitForNumber("vm_api_prompts_ended_total{status=\"exited\"} 1")
    try server.waitForNumber("vm_api_prompts_refused_total 1")
    #expect(try server.ask("DELETE", "/v1/prompts/\(id)").status == 404)
  }

  @Test("end with all that they started when the client goes away")
  func disconnect() throws {
    let server = try ServerProcess()
    for prompt in ["sleep", "stubborn", "flood"] {
      var connection: Connection? = try server.begin(prompt)
      _ = try connection?.receiveText { $0.contains("started") }
      connection = nil
    }
    try server.waitForNumber("vm_api_prompts_ended_total{status=\"cancelled\"} 3")
    try server.waitForNumber("vm_api_prompts_running 0")
    #expect(try runTool("pgrep", ["-f", "^sleep 101[12]$"]).output == "")
  }

  @Test("end after their time, and after too much output")
  func limits() throws {
    let server = try ServerProcess("--most-output", "3000000")
    let slow = try server.events("sleep", ",\"timeout\":1")
    #expect(slow.last?["status"] == "timeout" && slow.last?["signal"] == 15)
    let flood = try server.events("flood")
    #expect(flood.last?["status"] == "output_limit")
    let count = flood.compactMap { $0["text"]?.string?.utf8.count }.reduce(0, +)
    #expect(count >= 3_000_000 && count < 3_200_000)
  }

  @Test("that flood a client that does not read cost little memory")
  func stalledClient() throws {
    let server = try ServerProcess()
    let connection = try server.begin("flood")
    _ = try connection.receiveText { $0.contains("started") }
    // Until the pipe, the socket and the server's share are full, and nothing moves any more.
    usleep(1_000_000)
    let status = try String(contentsOfFile: "/proc/\(server.id)/status", encoding: .utf8)
    let resident = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    let kilobytes = resident.flatMap { Int($0.split(separator: " ").dropLast().last ?? "") }
    #expect(try #require(kilobytes) < 80_000)
    #expect(try server.ask("GET", "/health").status == 200)
  }

  @Test("need programs that are signed in; health says so to who bears the token")
  func credentials() throws {
    let server = try ServerProcess()
    let file = (server.folder / "home/.codex/auth.json").string
    let body = "{\"files\":[{\"path\":\".codex/auth.json\",\"content\":\"{\\\"k\\\":1}\"}]}"
    #expect(try server.ask("PUT", "/v1/credentials/codex", body).status == 200)
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "{\"k\":1}")
    var facts = stat()
    #expect(stat(file, &facts) == 0 && facts.st_mode & 0o777 == 0o600)
    let bad = body.replacing(".codex/auth.json", with: "../../etc/passwd")
    #expect(try server.ask("PUT", "/v1/credentials/codex", bad).status == 400)
    let broken = body.replacing("{\\\"k\\\":1}", with: "{")
    #expect(try server.ask("PUT", "/v1/credentials/codex", broken).status == 400)
    try server.waitForHealth()
    let tools = try JSON(parsing: server.ask("GET", "/health").body.utf8)["tools"]
    #expect(tools?["codex"] == ["version": "codex-fixture 4.5.6", "signedIn": true])
    #expect(tools?["gemini_cli"] == ["version": "gemini-fixture 4.5.6", "signedIn": false])
    let open = try Support.ask("GET", "/health", port: server.port)
    #expect(open.status == 200 && !open.body.contains("tools"))
  }

  @Test("that make no sense are refused")
  func nonsense() throws {
    let server = try ServerProcess()
    let long = String(repeating: "x", count: 200_000)
    for (body, status) in [
      ("{}", 400), ("[]", 400), ("{", 400), ("{\"provider\":\"claude\"}", 400),
      ("{\"provider\":\"nobody\",\"prompt\":\"x\"}", 404),
      ("{\"provider\":\"claude\",\"prompt\":\"x\",\"timeout\":0}", 400),
      ("{\"provider\":\"claude\",\"prompt\":\"x\",\"timeout\":\"1\"}", 400),
      ("{\"provider\":\"claude\",\"prompt\":\"x\",\"cwd\":1}", 400),
      ("{\"provider\":\"gemini\",\"prompt\":\"\(long)\"}", 413),
    ] {
      #expect(try server.ask("POST", "/prompt", body).status == status, "\(body.prefix(60))")
    }
    #expect(try Support.ask("GET", "/metrics", port: server.port).status == 401)
    #expect(try server.ask("GET", "/prompt").status == 404)
    #expect(try server.events(long).last?["exitCode"] == 0)
  }
}

extension ServerProcess {
  /// Waits until the programs have told their versions.
  fileprivate func waitForHealth() throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while try !ask("GET", "/health").body.contains("gemini-fixture") {
      guard .now < deadline else { throw Unexpected(what: try ask("GET", "/health").body) }
      usleep(10_000)
    }
  }
}
