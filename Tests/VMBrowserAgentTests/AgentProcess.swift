import AgentHTTP
import Foundation
import Glibc
import Support
import Terminal

let token = "test-token-0123456789"

/// What a test did not expect to happen while it prepared.
struct Unexpected: Error {
  var what: String
  init(_ what: String) { self.what = what }
}

/// The built agent, with fixture programs to sign in to and a service behind them.
final class AgentProcess {
  let folder: TemporaryFolder
  let port: Int
  private let agent: Child
  private let service: Child

  /// - Parameters:
  ///   - browser: its command; nil is a person who signs in at once, an empty one opens nothing.
  ///   - programs: folder of programs to use in place of the fixtures, with the built-in providers.
  init(browser: String? = nil, programs: String? = nil) throws {
    folder = try TemporaryFolder()
    let fixtures = fixture("signin").path
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    let environment = ["PATH": path]
    service = try Child.start(
      Command("python3", ["\(fixtures)/provider.py"], environment: environment))
    let servicePort = try Self.firstLine(of: service).trimmingCharacters(
      in: .whitespacesAndNewlines)
    for name in ["codex", "claude", "gemini"] {
      try folder.write("bin/.keep", "")
      try FileManager.default.createSymbolicLink(
        atPath: (folder / "bin/\(name)").string, withDestinationPath: "\(fixtures)/cli.py")
    }
    try folder.write("token", token)
    try folder.write("providers.json", Self.providers("http://127.0.0.1:\(servicePort)"))
    for name in ["sessions", "logs"] {
      try FileManager.default.createDirectory(
        atPath: (folder / name).string, withIntermediateDirectories: true)
    }
    // The person at the browser: follows the page's redirect, as one who is signed in already.
    let person = browser ?? "python3 \(fixtures)/person.py {url} {profile}"
    var arguments = [
      "--listen", "127.0.0.1:0", "--token-file", (folder / "token").string, "--sessions",
      (folder / "sessions").string, "--logs", (folder / "logs").string, "--browser", person,
      "--path", "\(programs ?? (folder / "bin").string):\(path)",
    ]
    if programs == nil { arguments += ["--providers", (folder / "providers.json").string] }
    agent = try Child.start(
      Command(
        "/usr/bin/env", unprivileged([builtProgram("vm-browser-agent")] + arguments),
        environment: environment))
    let line = try Self.firstLine(of: agent)
    guard let port = try JSON(parsing: line.utf8)["port"]?.integer else {
      throw Unexpected("start the agent: \(line)")
    }
    self.port = port
  }

  var id: Int32 { agent.id }

  /// The processes that came of the agent, itself not included.
  var others: [Int32] { agent.members.filter { $0 != agent.id } }

  /// Asks the agent to end, as the service manager does.
  func stop() -> Ending { agent.stop(grace: .seconds(8)) }

  private static func firstLine(of child: Child) throws -> String {
    var text = ""
    while !text.hasSuffix("\n") {
      switch child.next(before: .now + .seconds(20)) {
      case .output(let bytes), .errors(let bytes): text += String(decoding: bytes, as: UTF8.self)
      case let event: throw Unexpected("read a line: \(text)\(event)")
      }
    }
    return text
  }

  private static func providers(_ service: String) -> String {
    func entry(_ name: String, _ program: String, _ modes: String, _ rest: String) -> String {
      """
      {"name":"\(name)","program":"\(program)","links":["\(service)/"],"modes":{\(modes)},\(rest)}
      """
    }
    let variables = "\"environment\":{\"FAKE_PROVIDER\":\"\(service)\""
    let codex = "\"credentials\":[\".codex/auth.json\"],\"status\":[\"login\",\"status\"]"
    let entries = [
      entry(
        "codex", "codex", "\"loopback\":{\"arguments\":[\"login\"],\(variables)}}",
        codex + ",\"exclusive\":true,\"aliases\":[\"codex_cli\"]"),
      entry(
        "claude_code", "claude",
        "\"loopback\":{\"arguments\":[\"auth\",\"login\"],\(variables)}},"
          + "\"code\":{\"arguments\":[\"auth\",\"login\"],\(variables),\"FIXTURE_MODE\":\"code\"}}",
        "\"credentials\":[\".claude/.credentials.json\"],\"status\":[\"auth\",\"status\"],"
          + "\"code_prompt\":\"Paste code here\""),
      entry(
        "gemini_cli", "gemini", "\"code\":{\"arguments\":[],\(variables)}}",
        "\"credentials\":[\".gemini/oauth_creds.json\"],\"code_prompt\":\"authorization code:\","
          + "\"prompts\":[{\"text\":\"[Y/n]\",\"answer\":\"y\\r\"}]"),
      entry("refuses", "codex", "\"loopback\":{\"arguments\":[\"refuse\"]}", codex),
      entry("floods", "codex", "\"loopback\":{\"arguments\":[\"hostile\",\"flood\"]}", codex),
      entry("forks", "codex", "\"loopback\":{\"arguments\":[\"hostile\",\"forks\"]}", codex),
      entry("sleeps", "codex", "\"loopback\":{\"arguments\":[\"hostile\",\"sleep\"]}", codex),
      entry("missing", "no-such-program", "\"loopback\":{\"arguments\":[]}", codex),
    ]
    return "[\(entries.joined(separator: ","))]"
  }

  // Requests.

  func ask(_ method: String, _ target: String, _ body: JSON? = nil) throws -> (Int, JSON) {
    let text = body.map { String(decoding: $0.bytes, as: UTF8.self) }
    let answer = try Support.ask(method, target, port: port, token: token, body: text)
    return (answer.status, try JSON(parsing: answer.body.utf8))
  }

  /// Starts a session and gives its id.
  func begin(_ provider: String, _ more: [String: JSON] = [:]) throws -> String {
    var body = more
    body["provider"] = .string(provider)
    let (status, session) = try ask("POST", "/v1/sessions", .object(body))
    guard status == 201, let id = session["sessionId"]?.string else {
      throw Unexpected("begin: \(session)")
    }
    return id
  }

  /// Waits until the session is in one of the states; gives its facts then.
  func wait(_ id: String, for states: String...) throws -> JSON {
    var after = 0
    for _ in 0..<50 {
      let (_, session) = try ask("GET", "/v1/sessions/\(id)?wait=20&after=\(after)")
      if let state = session["state"]?.string {
        let isFinal = ["ready", "timeout", "failed", "cancelled"].contains(state)
        if states.contains(state) || isFinal { return session }
      }
      after = session["revision"]?.integer ?? 0
    }
    throw Unexpected("wait for \(states)")
  }
}
