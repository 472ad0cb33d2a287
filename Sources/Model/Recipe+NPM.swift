extension Recipe {
  /// `[npm]`: command line tools from an npm registry, each locked as a project of its own.
  public struct NPM: Sendable, Equatable {
    /// One tool of `packages`.
    public struct Tool: Sendable, Equatable {
      /// The registry's name of it: `@openai/codex`.
      public var package: String
      /// A version, a range or a tag, as npm takes them; empty for the tag `latest`.
      public var range: String
      /// Take only the program of its platform package, which needs no Node.
      public var isNative: Bool
      public var position: SourcePosition

      public init(
        package: String, range: String = "", isNative: Bool = false, position: SourcePosition
      ) {
        self.package = package
        self.range = range
        self.isNative = isNative
        self.position = position
      }

      /// The tool's folder below `into`: its name without the scope.
      public var folder: String {
        package.split(separator: "/").last.map(String.init) ?? package
      }
    }

    /// The absolute folder in the image whose folders hold the tools.
    public var into: String
    /// A registry's address; nil takes what npm's own configuration names.
    public var registry: String?
    /// The version of Node that tools meet in the image; nil finds it in the recipe's other inputs.
    public var node: Located<String>?
    public var tools: [Tool]
    /// Packages whose install scripts may run; no others ever do.
    public var scripts: [Located<String>]
    /// Command → package: what is linked in `/usr/local/bin`; empty links every command of each tool.
    public var commands: [String: String]
    /// Variables that keep tools from changing themselves, for all that runs in the image.
    public var environment: [String: String]
    public var position: SourcePosition

    /// No tool replaces itself or fetches a browser, and npm does not ask for its own updates.
    public static let defaultEnvironment = [
      "DISABLE_AUTOUPDATER": "1", "NO_UPDATE_NOTIFIER": "1", "NPM_CONFIG_UPDATE_NOTIFIER": "false",
      "PUPPETEER_SKIP_DOWNLOAD": "1",
    ]

    public init(
      into: String = "/opt/clis", registry: String? = nil, node: Located<String>? = nil,
      tools: [Tool], scripts: [Located<String>] = [], commands: [String: String] = [:],
      environment: [String: String] = NPM.defaultEnvironment, position: SourcePosition
    ) {
      self.into = into
      self.registry = registry
      self.node = node
      self.tools = tools
      self.scripts = scripts
      self.commands = commands
      self.environment = environment
      self.position = position
    }
  }
}
