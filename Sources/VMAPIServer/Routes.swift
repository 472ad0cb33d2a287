internal import AgentHTTP
internal import Terminal

/// Answers the requests of the controller; see `docs/agents.md`.
struct Routes: Sendable {
  let settings: Settings
  let runs: Runs
  let home: Home

  /// The kernel takes no single argument that is longer.
  static let longestArgument = 128 * 1024 - 64

  func handle(_ exchange: Exchange) {
    do throws(Refusal) {
      try route(exchange)
    } catch { exchange.respond(error) }
  }

  private func route(_ exchange: Exchange) throws(Refusal) {
    let request = exchange.request
    switch (request.method, request.path) {
    case ("GET", ["health"]), ("GET", ["healthz"]):
      var facts: [String: JSON] = ["status": "ok", "agent": "vm-api-server", "api": 1]
      if request.isTrusted { facts["tools"] = home.tools }
      exchange.respond(200, .object(facts))
    case ("GET", ["metrics"]):
      let body = Array(runs.metrics.utf8)
      exchange.respond(200, type: "text/plain; version=0.0.4; charset=utf-8", body: body)
    case ("POST", ["prompt"]), ("POST", ["v1", "prompts"]): try start(exchange)
    default: try routeByName(exchange)
    }
  }

  private func routeByName(_ exchange: Exchange) throws(Refusal) {
    let path = exchange.request.path
    switch (exchange.request.method, path.count, path.first, path.dropFirst().first) {
    case ("DELETE", 3, "v1", "prompts"):
      try runs.cancel(path[2])
      exchange.respond(202, ["id": .string(path[2])])
    case ("PUT", 3, "v1", "credentials"):
      let provider = try provider(path[2])
      guard let files = try exchange.request.object()["files"]?.array, !files.isEmpty else {
        throw Refusal(400, "bad_file", "'files' is needed, as a list")
      }
      try home.install(files, for: provider)
      exchange.respond(200, ["provider": .string(provider.name), "signedIn": true])
    default: throw Refusal(404, "unknown_path", "there is nothing at this path")
    }
  }

  private func start(_ exchange: Exchange) throws(Refusal) {
    let body = try exchange.request.object()
    guard let name = body["provider"]?.string, let prompt = body["prompt"]?.string, !prompt.isEmpty
    else { throw Refusal(400, "bad_value", "'provider' and 'prompt' are needed, as text") }
    let provider = try provider(name)
    if !provider.takesInput {
      guard prompt.utf8.count <= Self.longestArgument, !prompt.utf8.contains(0) else {
        throw Refusal(413, "too_large", "'\(provider.name)' takes at most 128 KiB of prompt")
      }
    }
    let seconds = try seconds(body["timeoutSec"] ?? body["timeout"])
    if let wish = body["cwd"], wish != .null, wish.string == nil {
      throw Refusal(400, "bad_cwd", "'cwd' must be text")
    }
    let folder = try home.workFolder(body["cwd"]?.string)
    try runs.add { () throws(Refusal) in
      do throws(TerminalFailure) {
        return try Run(
          id: Self.newID(), provider: provider, prompt: prompt, limit: .seconds(seconds),
          folder: folder, settings: settings, exchange: exchange)
      } catch { throw Refusal(503, "no_resources", "\(error)") }
    }
  }

  private func seconds(_ value: JSON?) throws(Refusal) -> Int {
    guard let value, value != .null else { return settings.usualTime }
    guard let seconds = value.integer, (1...settings.longestTime).contains(seconds) else {
      let rule = "'timeout' must be from 1 to \(settings.longestTime) seconds"
      throw Refusal(400, "bad_timeout", rule)
    }
    return seconds
  }

  private func provider(_ name: String) throws(Refusal) -> Provider {
    guard let found = settings.providers.first(where: { $0.answers(to: name) }) else {
      let names = Set(settings.providers.map(\.name)).sorted().joined(separator: ", ")
      throw Refusal(404, "unknown_provider", "there is no provider of that name; known: \(names)")
    }
    return found
  }

  private static func newID() -> String {
    let text = String(UInt64.random(in: .min ... .max), radix: 36)
    return String(repeating: "0", count: 13 - text.count) + text
  }
}
