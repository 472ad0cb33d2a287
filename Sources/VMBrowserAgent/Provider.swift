internal import AgentHTTP

/// How to sign in to one service with its command-line program: data, not code.
struct Provider: Sendable, Hashable {
  /// How the person gets from the sign-in page back to the program.
  enum Mode: String, Sendable, Hashable, CaseIterable {
    /// The page calls the program on a port of this machine.
    case loopback
    /// The page shows a code that is typed into the program.
    case code
    /// The program shows a code that is typed into the page.
    case device
  }

  /// How a mode is started.
  struct Start: Sendable, Hashable {
    var arguments: [String]
    var environment: [String: String] = [:]
  }

  /// A question to answer by itself, once, when the screen shows it.
  struct Prompt: Sendable, Hashable {
    var text: String
    /// What to type, with `\r` for the return key.
    var answer: String
  }

  var name: String
  var aliases: [String] = []
  var program: String
  /// Versions of the program that this entry is for: from the first on, and before the second.
  var fromVersion: String?
  var beforeVersion: String?
  /// The first mode that a provider has, in the order of `Mode`, is its default.
  var modes: [Mode: Start]
  /// What the addresses of sign-in pages begin with.
  var links: [String]
  var prompts: [Prompt] = []
  /// What the screen shows when the program waits for a code.
  var codePrompt: String?
  /// Files below HOME that hold the credentials: JSON objects. The first must be there.
  var credentials: [String]
  /// Arguments of a command that ends well exactly when the program is signed in.
  var status: [String]?
  /// Whether two sign-ins at once disturb each other, as when they share a port.
  var isExclusive = false

  var defaultMode: Mode { Mode.allCases.first { modes[$0] != nil } ?? .loopback }

  func answers(to name: String) -> Bool { self.name == name || aliases.contains(name) }

  func isSignInLink(_ link: String) -> Bool { links.contains { link.hasPrefix($0) } }

  func isFor(version: String) -> Bool {
    let version = VersionNumber(version)
    if let fromVersion, version < VersionNumber(fromVersion) { return false }
    if let beforeVersion, version >= VersionNumber(beforeVersion) { return false }
    return true
  }

  /// The three that the image carries, as measured with codex 0.163 and claude 2.1.
  static let builtIn: [Provider] = [
    Provider(
      name: "claude_code", aliases: ["claude"], program: "claude",
      modes: [
        .loopback: Start(arguments: ["auth", "login"]), .code: Start(arguments: ["auth", "login"]),
      ],
      links: [
        "https://claude.ai/oauth/", "https://claude.com/", "https://console.anthropic.com/oauth/",
        "https://platform.claude.com/oauth/",
      ],
      codePrompt: "Paste code here", credentials: [".claude/.credentials.json", ".claude.json"],
      status: ["auth", "status"]),
    Provider(
      name: "codex", aliases: ["codex_cli"], program: "codex",
      modes: [
        .loopback: Start(arguments: ["login"]),
        .device: Start(arguments: ["login", "--device-auth"]),
      ],
      links: ["https://auth.openai.com/"], credentials: [".codex/auth.json"],
      status: ["login", "status"], isExclusive: true),
    Provider(
      name: "gemini_cli", aliases: ["gemini"], program: "gemini",
      modes: [
        .loopback: Start(arguments: [], environment: ["GOOGLE_GENAI_USE_GCA": "true"]),
        .code: Start(
          arguments: [], environment: ["GOOGLE_GENAI_USE_GCA": "true", "NO_BROWSER": "true"]),
      ],
      links: ["https://accounts.google.com/", "https://codeassist.google.com/"],
      prompts: [Prompt(text: "[Y/n]", answer: "y\r")],
      codePrompt: "Enter the authorization code", credentials: [".gemini/oauth_creds.json"]),
  ]
}

/// Numbers between dots, compared one by one; what follows a dash or plus does not count.
struct VersionNumber: Comparable {
  var parts: [Int]

  init(_ text: String) {
    parts = text.prefix { $0.isASCII && $0.isNumber || $0 == "." }
      .split(separator: ".").map { Int($0) ?? 0 }
    while parts.last == 0 { parts.removeLast() }
  }

  static func < (one: Self, other: Self) -> Bool {
    one.parts.lexicographicallyPrecedes(other.parts)
  }

  /// The first version number in what a program says of itself.
  static func first(in text: String) -> String? {
    text.split { !($0.isASCII && $0.isNumber || $0 == ".") }
      .first { $0.split(separator: ".").count > 1 && $0.first != "." }.map(String.init)
  }
}
