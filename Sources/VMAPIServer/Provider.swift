internal import AgentHTTP

/// How to run one command-line program without a person: data, not code.
struct Provider: Sendable, Hashable {
  var name: String
  var aliases: [String] = []
  var program: String
  /// Arguments of a run; `{prompt}` stands for the prompt. Without it, the prompt is the standard input.
  var arguments: [String]
  var environment: [String: String] = [:]
  /// Member of the output's JSON objects that says what the run used up.
  var usage: [String]
  /// Files below HOME that hold the credentials: the first says whether one is signed in, and none
  /// but these can be put there.
  var credentials: [String]

  func answers(to name: String) -> Bool { self.name == name || aliases.contains(name) }

  /// The three that the image carries, as measured with codex 0.163 and claude 2.1.
  static let builtIn: [Provider] = [
    Provider(
      name: "claude_code", aliases: ["claude"], program: "claude",
      arguments: ["-p", "--output-format", "stream-json", "--verbose"], usage: ["usage"],
      credentials: [".claude/.credentials.json", ".claude.json"]),
    Provider(
      name: "codex", aliases: ["codex_cli"], program: "codex",
      arguments: ["exec", "--json", "--skip-git-repo-check", "-"], usage: ["usage"],
      credentials: [".codex/auth.json"]),
    Provider(
      name: "gemini_cli", aliases: ["gemini"], program: "gemini",
      arguments: ["--output-format", "stream-json", "--prompt={prompt}"],
      usage: ["stats", "usage"],
      credentials: [".gemini/oauth_creds.json"]),
  ]

  /// Whether the prompt goes to standard input.
  var takesInput: Bool { !arguments.contains { $0.contains("{prompt}") } }
}

/// Reads providers from a JSON file: an array of objects with the members of `Provider`.
///
/// Entries of the file come before the built-in ones.
func readProviders(_ bytes: [UInt8]) throws -> [Provider] {
  guard let entries = try JSON(parsing: bytes).array else {
    throw FaultyOptions("the providers are no array")
  }
  return try entries.enumerated().map { index, entry in
    guard let name = entry["name"]?.string, let program = entry["program"]?.string,
      let arguments = texts(entry["arguments"]), let credentials = texts(entry["credentials"]),
      !credentials.isEmpty
    else {
      throw FaultyOptions(
        "provider \(index + 1) needs 'name', 'program', 'arguments' and 'credentials'")
    }
    for path in credentials where path.hasPrefix("/") || path.split(separator: "/").contains("..") {
      throw FaultyOptions("provider \(index + 1): '\(path)' is not below the home folder")
    }
    return Provider(
      name: name, aliases: texts(entry["aliases"]) ?? [], program: program, arguments: arguments,
      environment: entry["environment"]?.object?.compactMapValues(\.string) ?? [:],
      usage: texts(entry["usage"]) ?? ["usage"], credentials: credentials)
  }
}

private func texts(_ value: JSON?) -> [String]? {
  guard let elements = value?.array else { return nil }
  let texts = elements.compactMap(\.string)
  return texts.count == elements.count ? texts : nil
}
