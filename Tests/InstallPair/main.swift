import Assembling
import Content
import Fetching
import Foundation
import Model
import Resolving
import Support
import SystemPackage

// Installs one tool of npm with 120 libraries and a native program of 16 MB, by turns: ourselves from the
// lock and a warm store, and `npm ci` from its warm cache. Prints a line of JSON for each pair, in seconds:
//
//     InstallPair [PAIRS]
let pairs = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 5
let folder = try TemporaryFolder()
let registry = try NPMServer(makePackages())

let place = SourcePosition(file: "pair.toml", line: 1, column: 1)
let npm = Recipe.NPM(
  registry: registry.url, node: Located("20.18.0", at: place),
  tools: [Recipe.NPM.Tool(package: "tool", position: place)], position: place)
let recipe = Recipe(
  file: "pair.toml", digest: ContentHash(of: "pair"),
  image: Recipe.Image(name: "pair", position: place),
  base: Recipe.Base(distribution: .debian, suite: "bookworm", position: place),
  packages: Recipe.Packages(), npm: npm)
let store = try BlobStore(store: folder / "store")
let resolver = try Resolver(
  scratch: folder.path, store: folder / "store",
  transport: Fetcher(store: store, events: { _ in }))
let lock = Lock(
  recipe: recipe.digest, epoch: 0,
  npm: try await resolver.lockTools(of: recipe, packages: [], old: []))

let project = folder / "project"
try folder.write("project/package.json", "{\"dependencies\": {\"tool\": \"1.0.0\"}}")
let settings = ["npm_config_cache": (folder / "cache").string, "npm_config_registry": registry.url]
func runNPM(_ arguments: [String]) throws {
  _ = try runTool(
    "npm", arguments + ["--ignore-scripts", "--no-audit", "--no-fund"], environment: settings,
    folder: project.string
  ).succeeded()
}
try runNPM(["install"])  // writes the lock and warms the cache

for number in 1...pairs {
  let root = folder / "root-\(number)"
  try FileManager.default.createDirectory(atPath: root.string, withIntermediateDirectories: false)
  let ours = try ContinuousClock().measure {
    try installTools(of: npm, lock, from: store, in: root)
  }
  try FileManager.default.removeItem(atPath: project.appending("node_modules").string)
  let theirs = try ContinuousClock().measure { try runNPM(["ci", "--offline"]) }
  try FileManager.default.removeItem(atPath: root.string)
  print(
    "{\"ours\": \(seconds(ours)), \"npm\": \(seconds(theirs)), \"ratio\": \(seconds(theirs) / seconds(ours))}"
  )
}

func seconds(_ duration: Duration) -> Double {
  let parts = duration.components
  return Double(parts.seconds) + Double(parts.attoseconds) / 1e18
}

/// A tool, its platform package, and libraries that need one another.
func makePackages() -> [NPMServer.Package] {
  var random = SplitMix64(seed: 4)
  func bytes(_ count: Int) -> [UInt8] {
    (0..<count / 8).flatMap { _ in withUnsafeBytes(of: random.next()) { Array($0) } }
  }
  let libraries = (0..<120).map { number in
    var files: [String: TarFile] = [:]
    for file in 0..<16 {
      files["lib/part-\(file).js"] = TarFile(
        String(repeating: "exports.part\(file) = () => \(number);\n", count: 100))
    }
    let needs =
      number % 3 == 0 && number > 0
      ? "\"dependencies\": {\"library-\(number - 1)\": \"^1.0.0\"}" : ""
    return NPMServer.Package("library-\(number)", "1.0.0", manifest: needs, files: files)
  }
  let needs = (0..<120).map { "\"library-\($0)\": \"^1.0.0\"" }.joined(separator: ", ")
  return libraries + [
    NPMServer.Package(
      "tool-linux-x64", "1.0.0", manifest: "\"os\": [\"linux\"], \"cpu\": [\"x64\"]",
      files: ["bin/tool": TarFile(nativeProgram(printing: "1.0.0") + bytes(16 << 20), mode: 0o755)]),
    NPMServer.Package(
      "tool", "1.0.0",
      manifest: """
        "bin": {"tool": "tool.js"}, "dependencies": {\(needs)},
        "optionalDependencies": {"tool-linux-x64": "1.0.0"}
        """, files: ["tool.js": TarFile("#!/usr/bin/env node\n")]),
  ]
}
