import Assembling
import Content
import Fetching
import Foundation
import Glibc
import Model
import Resolving
import Support
import SystemPackage

// Installs tools of npm by turns: ourselves from the lock and a warm store, and `npm ci` from its warm
// cache, each into folders of its own that stay to the end: ext4 passes over inodes that were freed a moment
// ago, one by one. What `Benchmarks/run npm` runs; prints a line of JSON for each installation:
//
//     InstallPair REGISTRY ROUNDS TOOL…
let arguments = Array(CommandLine.arguments.dropFirst())
guard arguments.count >= 3, let rounds = Int(arguments[1]) else {
  print("usage: InstallPair REGISTRY ROUNDS TOOL…")
  exit(64)
}
let registry = arguments[0]
let tools = arguments[2...]
let folder = try TemporaryFolder()

let place = SourcePosition(file: "pair.toml", line: 1, column: 1)
let npm = Recipe.NPM(
  registry: registry, node: Located("20.18.0", at: place),
  tools: tools.map { Recipe.NPM.Tool(package: $0, position: place) }, position: place)
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

let settings = ["npm_config_cache": (folder / "cache").string, "npm_config_registry": registry]
let options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]

/// A folder for each tool.
func projects(_ name: String) throws -> [FilePath] {
  try tools.enumerated().map { index, tool in
    try folder.write("\(name)/\(index)/package.json", "{\"dependencies\": {\"\(tool)\": \"*\"}}")
      .removingLastComponent()
  }
}

func runNPM(_ arguments: [String], in projects: [FilePath]) throws {
  for project in projects {
    _ = try runTool("npm", arguments + options, environment: settings, folder: project.string)
      .succeeded()
  }
}

/// Prints the time that passes, and that of all processors in us and in what we start.
func measure(_ name: String, _ body: () throws -> Void) throws {
  sync()
  let before = processorTime()
  let time = try ContinuousClock().measure(body)
  let (seconds, parts) = time.components
  print(
    "{\"name\": \"\(name)\", \"wall\": \(Double(seconds) + Double(parts) / 1e18),",
    "\"cpu\": \(processorTime() - before)}")
}

func processorTime() -> Double {
  [RUSAGE_SELF, RUSAGE_CHILDREN].reduce(0) { sum, who in
    var usage = rusage()
    getrusage(who.rawValue, &usage)
    return [usage.ru_utime, usage.ru_stime].reduce(sum) {
      $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6
    }
  }
}

try FileManager.default.createDirectory(
  atPath: (folder / "ours").string, withIntermediateDirectories: false)
func install(into name: String) throws {
  let root = folder / "ours/\(name)"
  try FileManager.default.createDirectory(atPath: root.string, withIntermediateDirectories: false)
  try installTools(
    of: npm, lock, from: store, in: root, jobs: ProcessInfo.processInfo.activeProcessorCount)
}

// The first installation warms the store, and npm's cache.
try install(into: "first")
let first = try projects("npm/first")
try runNPM(["install"], in: first)
for round in 1...max(rounds, 1) {
  let projects = try projects("npm/\(round)")
  for (project, old) in zip(projects, first) {
    try FileManager.default.copyItem(
      atPath: old.appending("package-lock.json").string,
      toPath: project.appending("package-lock.json").string)
  }
  let turns = [
    { try measure("ours") { try install(into: "\(round)") } },
    { try measure("npm ci") { try runNPM(["ci", "--offline"], in: projects) } },
  ]
  for turn in round % 2 == 1 ? turns : turns.reversed() { try turn() }
}
try FileManager.default.removeItem(atPath: folder.path.string)
