import Content
import Foundation
import Model
import Publishing
import Support
import Synchronization
import SystemPackage
import Testing

/// A catalog, a controller and machines that are small programs: they read their disk and answer as an
/// agent does, or crash when the disk says so.
final class ControllerWorld {
  static let token = "a-token-for-tests-only"
  /// A disk of this byte ends its machine at boot, as a guest does that crashes.
  static let crash: UInt8 = 0xCC
  /// A disk of this byte breaks its machine's monitor, as a host does that cannot run it.
  static let broken: UInt8 = 0xDD
  /// What a sign-in gives.
  static let secret = "secret-of-the-sign-in"

  let folder: TemporaryFolder
  let key = SigningKey.generate()
  let catalog: Catalog
  private let firstPort = Int.random(in: 20_000..<30_000)
  private(set) var controller: Process?
  private(set) var port = 0
  /// All that the controllers said.
  private let said = Transcript()
  var log: String { said.text.withLock { $0 } }

  init(ready: Int = 0) throws {
    folder = try TemporaryFolder()
    catalog = Catalog(store: folder / "store", key: key)
    try folder.write("key.pub", key.publicKey.text)
    try folder.write("key", key.secretText)
    chmod((folder / "key").string, 0o600)
    try folder.write("token", Self.token)
    try folder.write("machine.py", Self.machine.replacing("SECRET", with: Self.secret))
    try folder.write(
      "config.json",
      """
      {"store": "\(folder / "store")", "state": "\(folder / "state")", "listen": "127.0.0.1:0",
       "token_file": "\(folder / "token")", "keys": ["\(folder / "key.pub")"],
       "secret_key": "\(folder / "key")", "first_port": \(firstPort), "ready_seconds": 20,
       "bad_boots": 2, "boots": 4,
       "roles": {"cli": {"image": "tiny", "driver": "fake", "ready": \(ready)},
                 "browser": {"image": "tiny", "driver": "fake"}},
       "drivers": {"fake": {"command": ["python3", "\(folder / "machine.py")", "${disk}", "${port}",
         "${token}"], "address": "127.0.0.1:${port}", "ip": "127.0.0.1", "clone": "copy"}}}
      """)
  }

  deinit {
    if let controller, controller.isRunning { kill(controller.processIdentifier, SIGKILL) }
    for process in machineProcesses { kill(process, SIGKILL) }
  }

  private static let machine = """
    import http.server, json, sys
    disk, port, token = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    kind = open(disk, "rb").read(1)
    if kind == b"\\xcc":
        sys.exit(0)
    if kind == b"\\xdd":
        sys.exit("no room for the machine")
    given, state = [], ["ready"]
    class Agent(http.server.BaseHTTPRequestHandler):
        def answer(self, status, value):
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def trusted(self):
            return self.headers.get("Authorization") == "Bearer " + token
        def do_GET(self):
            if self.path == "/health": return self.answer(200, {"status": "ok"})
            if not self.trusted(): return self.answer(401, {"error": {"code": "unauthorized"}})
            if self.path.endswith("/credentials"):
                if given: return self.answer(410, {"error": {"code": "gone"}})
                given.append(1)
                content = json.dumps({"token": "SECRET"})
                return self.answer(200, {"provider": "codex", "files": [
                    {"path": ".codex/auth.json", "content": content}]})
            self.answer(200, {"state": state[-1], "revision": 2, "url": "https://example.org/"})
        def do_PUT(self):
            if not self.trusted(): return self.answer(401, {"error": {"code": "unauthorized"}})
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            open(disk + ".got", "a").write(self.path + " " + body["files"][0]["content"] + "\\n")
            self.answer(200, {"signedIn": True})
        def do_POST(self):
            if not self.trusted(): return self.answer(401, {"error": {"code": "unauthorized"}})
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if body["provider"] == "refuses": state.append("failed")
            self.answer(201, {"state": "pending", "revision": 1, "url": "https://example.org/"})
        def log_message(self, *words): pass
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Agent).serve_forever()
    """

  /// Publishes an image whose disk is of one byte; its last may be another, which makes another image.
  @discardableResult
  func publish(_ byte: UInt8, end: UInt8? = nil) throws -> Version {
    let disk = [UInt8](repeating: byte, count: 65535) + [end ?? byte]
    let staging = try catalog.stage("tiny")
    _ = FileManager.default.createFile(atPath: staging.disk.string, contents: Data(disk))
    return try catalog.publish(
      staging,
      .sample(of: "tiny", disk: disk, input: [byte, end ?? byte]),
      at: Timestamp(seconds: 1_782_873_667)
    ).release.version
  }

  /// Starts the controller, behind other words where given; waits until it listens.
  ///
  /// - Returns: false when it ended before.
  @discardableResult
  func start(behind words: [String] = []) throws -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments =
      words + [builtProgram("snapshot-controller"), "--config", (folder / "config.json").string]
    let pipe = Pipe()
    process.standardError = pipe
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    controller = process
    var seen = Data()
    while !String(decoding: seen, as: UTF8.self).contains("\"listening\"") {
      let piece = pipe.fileHandleForReading.availableData
      if piece.isEmpty { return false }
      seen += piece
    }
    said.text.withLock { $0 += String(decoding: seen, as: UTF8.self) }
    pipe.fileHandleForReading.readabilityHandler = { [said] handle in
      let text = String(decoding: handle.availableData, as: UTF8.self)
      said.text.withLock { $0 += text }
    }
    let text = String(decoding: seen, as: UTF8.self)
    let number = try #require(text.firstRange(of: "\"port\":")).upperBound
    port = try #require(Int(text[number...].prefix { $0.isNumber }))
    return true
  }

  /// Ends the controller at once, as a power cut of its own would.
  func killController() {
    guard let controller else { return }
    kill(controller.processIdentifier, SIGKILL)
    controller.waitUntilExit()
    self.controller = nil
  }

  func waitForController() {
    controller?.waitUntilExit()
    controller = nil
  }

  /// Asks the controller's API.
  func ask(
    _ method: String, _ path: String, _ body: [String: String]? = nil
  ) throws -> (status: Int, json: Any?) {
    var words = ["-s", "-m", "30", "-X", method, "-H", "Authorization: Bearer \(Self.token)"]
    if let body {
      words += ["-d", String(decoding: try JSONEncoder().encode(body), as: UTF8.self)]
    }
    let result = try runTool(
      "curl", words + ["-w", "\n%{http_code}", "http://127.0.0.1:\(port)\(path)"])
    let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
    let text = lines.dropLast().joined(separator: "\n")
    return (
      Int(lines.last ?? "") ?? 0, try? JSONSerialization.jsonObject(with: Data(text.utf8))
    )
  }

  /// What `GET /metrics` says.
  func metrics() throws -> String {
    try runTool(
      "curl",
      [
        "-s", "-H", "Authorization: Bearer \(Self.token)", "http://127.0.0.1:\(port)/metrics",
      ]
    ).output
  }

  func machines() throws -> [[String: String]] {
    try #require(try ask("GET", "/api/vms").json as? [[String: String]])
  }

  /// Boots a machine and waits until it is ready.
  func boot() throws -> [String: String] {
    let answer = try ask("POST", "/api/vms", ["role": "cli"])
    let id = try #require((answer.json as? [String: String])?["id"], "\(answer)")
    var found: [String: String]?
    try eventually("machine \(id) is ready") {
      found = try machines().first { $0["id"] == id }
      return found?["state"] == "ready"
    }
    return try #require(found)
  }

  /// Whether a machine's agent answers.
  func answers(_ machine: [String: String]) throws -> Bool {
    try runTool("curl", ["-sf", "-m", "5", "http://\(machine["address"] ?? "")/health"]).status == 0
  }

  /// The processes of all machines of this world.
  var machineProcesses: [pid_t] {
    let mark = Data("SNAPSHOT_CONTROLLER_VM=\(folder / "state")".utf8)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { pid_t($0) }.filter { process in
      let environment = FileManager.default.contents(atPath: "/proc/\(process)/environ")
      return environment?.range(of: mark) != nil
    }
  }

  /// Waits until a claim holds, for at most half a minute.
  func eventually(
    _ claim: @autoclosure () -> String, at place: SourceLocation = #_sourceLocation,
    _ holds: () throws -> Bool
  ) throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < deadline {
      if try holds() { return }
      usleep(50_000)
    }
    Issue.record("not so: \(claim())\n\(log.suffix(4000))", sourceLocation: place)
  }
}

/// What a process said so far.
private final class Transcript: Sendable {
  let text = Mutex("")
}

let canRunMachines = hasTool("python3") && hasTool("curl")
