import Content
import Fetching
import Foundation
import Isolation
import Model
import Resolving
import Support
import SystemPackage
import Testing

@testable import Assembling

/// The tools of a small registry, locked once for all tests: npm takes its time.
private struct LockedTools {
  let folder: TemporaryFolder
  let registry: NPMServer
  let recipe: Recipe
  let lock: Lock

  static let shared = Task { try await LockedTools() }

  private static let tools = [
    "@anthropic-ai/claude-code": "2.1.197", "@openai/codex": "0.163.0",
    "@google/gemini-cli": "0.20.0", "puppeteer": "24.31.0",
  ]

  private init() async throws {
    folder = try TemporaryFolder()
    registry = try NPMServer(NPMServer.tools)
    let place = SourcePosition(file: "test.toml", line: 1, column: 1)
    let npm = Recipe.NPM(
      registry: registry.url, node: Located("20.18.0", at: place),
      tools: Self.tools.sorted { $0.key < $1.key }.map {
        Recipe.NPM.Tool(package: $0.key, range: $0.value, position: place)
      }, position: place)
    recipe = Recipe(
      file: "test.toml", digest: ContentHash(of: "test"),
      image: Recipe.Image(name: "test", position: place),
      base: Recipe.Base(distribution: .debian, suite: "bookworm", position: place),
      packages: Recipe.Packages(), npm: npm)
    let store = folder / "store"
    let fetcher = try Fetcher(store: BlobStore(store: store), events: { _ in })
    let resolver = try Resolver(scratch: folder.path, store: store, transport: fetcher)
    lock = Lock(
      recipe: recipe.digest, epoch: 0,
      npm: try await resolver.lockTools(of: recipe, packages: [], old: []))
  }
}

/// A root that gets the tools as a build installs them, from a store of its own.
private struct InstalledTools {
  let folder: TemporaryFolder
  let registry: NPMServer
  let npm: Recipe.NPM
  let lock: Lock

  init(commands: [String: String] = [:], environment: [String: String] = [:]) async throws {
    let locked = try await LockedTools.shared.value
    folder = try TemporaryFolder()
    registry = locked.registry
    lock = locked.lock
    var npm = try #require(locked.recipe.npm)
    npm.commands = commands
    npm.environment.merge(environment) { $1 }
    self.npm = npm
    _ = try runTool(
      "cp", ["-a", (locked.folder / "store").string, (folder / "store").string]
    ).succeeded()
    try makeFolder(root)
  }

  var root: FilePath { folder / "root" }
  var store: BlobStore { get throws { try BlobStore(store: folder / "store") } }

  func install() throws {
    let root = try RootFolder(root)
    for project in lock.npm {
      try NPMInstaller(root: root, store: store, jobs: 2).install(project, npm)
    }
    try installEnvironment(npm.environment, in: root)
  }

  /// What npm itself makes of a tool.
  ///
  /// - Parameter hasScripts: install scripts run.
  func npmTree(of project: Lock.NPMProject, hasScripts: Bool) throws -> FilePath {
    let npm = try folder.write(
      "npm/\(project.name)/package.json",
      "{\"dependencies\": {\"\(project.package)\": \"\(project.version)\"}}"
    ).removingLastComponent()
    let options = [
      "--registry", registry.url, "--no-audit", "--no-fund", "--cache", (folder / "cache").string,
      "--logs-max=0", hasScripts ? "--foreground-scripts" : "--ignore-scripts",
    ]
    for command in [["install", "--package-lock-only"], ["ci"]] {
      _ = try runTool("npm", command + options, folder: npm.string).succeeded()
    }
    return npm
  }
}

@Suite(
  "Tools of npm in a root",
  .enabled(if: isRoot && hasTool("npm"), "needs root and npm"))
struct NPMInstallTests {
  @Test("are what npm ci makes, but for its own records and the other C library's twin")
  func judge() async throws {
    let tools = try await InstalledTools()
    try tools.install()
    #expect(tools.lock.npm.count == 4)
    for project in tools.lock.npm {
      // What the script of claude-code does, the lock's places do.
      let npm = try tools.npmTree(of: project, hasScripts: project.name == "claude-code")
      let ours = try listing(of: tools.root.appending("opt/clis/\(project.name)/node_modules"))
      let theirs = try listing(of: npm.appending("node_modules"))
      #expect(ours == theirs)
      #expect(ours.count > 2)
    }
  }

  @Test(
    "run under the host's Node, through the links in /usr/local/bin",
    .enabled(if: hasTool("node"), "needs node"))
  func run() async throws {
    let tools = try await InstalledTools()
    try tools.install()
    let expected = [
      "claude": "2.1.197 (Claude Code)\n", "codex": "codex-cli 0.163.0\n",
      "gemini": "0.20.0 strip6 wrap5\n", "puppeteer": "24.31.0\n",
    ]
    for (command, output) in expected {
      let link = tools.root.appending("usr/local/bin/\(command)").string
      let target = try FileManager.default.destinationOfSymbolicLink(atPath: link)
      #expect(try runTool(tools.root.string + target, ["--version"]).succeeded().output == output)
    }
  }

  @Test("leave no address, no cache and no log behind")
  func residue() async throws {
    let tools = try await InstalledTools()
    try tools.install()
    let found = try runTool("grep", ["-rlE", "127\\.0\\.0\\.1|_resolved", tools.root.string])
    #expect(found.output == "")
    let names = FileManager.default.subpaths(atPath: tools.root.string) ?? []
    #expect(!names.contains { $0.contains("_cacache") || $0.contains("_logs") })
  }

  @Test("only the commands that the recipe names are linked, and variables can be changed")
  func settings() async throws {
    let tools = try await InstalledTools(
      commands: ["codex": "@openai/codex"],
      environment: ["DISABLE_AUTOUPDATER": "0", "MOTTO": "a \"b\" $c 5%"])
    try tools.install()
    let root = try RootFolder(tools.root)
    #expect(try root.names(in: "/usr/local/bin").map(\.string) == ["codex"])
    let script = tools.root.appending("etc/profile.d/50-command-line-tools.sh").string
    let shown = try runTool(
      "sh", ["-c", ". \(script); echo \"$DISABLE_AUTOUPDATER $MOTTO $PUPPETEER_SKIP_DOWNLOAD\""],
      environment: ["PUPPETEER_SKIP_DOWNLOAD": "mine"])
    #expect(shown.output == "0 a \"b\" $c 5% mine\n")
    let unit = try root.contents(of: "/etc/systemd/system.conf.d/50-command-line-tools.conf") ?? []
    #expect(
      String(decoding: unit, as: UTF8.self) == """
        [Manager]
        DefaultEnvironment=DISABLE_AUTOUPDATER=0 "MOTTO=a \\"b\\" $c 5%%" NO_UPDATE_NOTIFIER=1 \
        NPM_CONFIG_UPDATE_NOTIFIER=false PUPPETEER_SKIP_DOWNLOAD=1

        """)
  }

  @Test("a tarball that changed in the store is named")
  func damaged() async throws {
    let tools = try await InstalledTools()
    let package = try #require(tools.lock.npm.first { $0.name == "codex" }?.packages.last)
    let path = try tools.store.path(of: package.tarball.sha256).string
    let other = tarGzip(["package/package.json": TarFile("{}")])
    try FileManager.default.removeItem(atPath: path)
    try Data(other).write(to: URL(fileURLWithPath: path))
    let failure = CustomiseFailure.wrongIntegrity(
      package: "npm @openai/codex 0.163.0-linux-x64", expected: package.integrity,
      actual: integrity(of: other))
    #expect(throws: failure) { try tools.install() }
  }
}

/// Every path with its kind, mode, link count, target and content, without what is known to differ.
private func listing(of folder: FilePath) throws -> [String] {
  let script = """
    cd "$1"; find . -mindepth 1 ! -name .package-lock.json ! -path '*-musl*' -type d -printf '%y %m %p\\n'
    find . ! -name .package-lock.json ! -path '*-musl*' -type l -printf '%y %p %l\\n'
    find . ! -name .package-lock.json ! -path '*-musl*' -type f -printf '%y %m %n %p ' -exec sha256sum {} \\;
    """
  return try runTool("sh", ["-c", script, "sh", folder.string]).succeeded().output
    .split(separator: "\n").map(String.init).sorted()
}
