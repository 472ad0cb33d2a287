import Content
import Foundation
import Model
import Support
import SystemPackage

@testable import Resolving

/// A registry with the real tools' shapes, a store, and recipes that ask for them.
struct NPMTable {
  let folder: TemporaryFolder
  let registry: NPMServer
  let transport: PlainTransport

  init() throws {
    folder = try TemporaryFolder()
    registry = try NPMServer(NPMServer.tools)
    transport = try PlainTransport(store: folder / "store")
  }

  var store: FilePath { folder / "store" }

  func recipe(
    _ tools: [(String, String)], native: Set<String> = [], node: String? = "20.18.0",
    commands: [String: String] = [:], architecture: String = "amd64"
  ) -> Recipe {
    var recipe = testRecipe(
      Recipe.Base(
        distribution: .debian, suite: "bookworm", architecture: architecture, position: place))
    recipe.digest = ContentHash(of: "\(tools) \(native) \(node ?? "") \(commands)")
    recipe.npm = Recipe.NPM(
      registry: registry.url, node: node.map { Located($0, at: place) },
      tools: tools.enumerated().map { number, tool in
        Recipe.NPM.Tool(
          package: tool.0, range: tool.1, isNative: native.contains(tool.0),
          position: SourcePosition(file: "test.toml", line: 12 + number, column: 15))
      },
      commands: commands, position: place)
    return recipe
  }

  /// Locks the npm part of a recipe alone: packages of Debian have tests of their own.
  func lock(_ recipe: Recipe, old: Lock? = nil, moving: Set<String> = []) async throws -> Lock {
    let resolver = try Resolver(scratch: folder.path, store: store, transport: transport)
    let projects = try await resolver.lockTools(
      of: recipe, packages: [],
      old: (old?.npm ?? []).filter { !moving.contains($0.name) && !moving.contains($0.package) })
    return Lock(recipe: recipe.digest, epoch: 0, npm: projects)
  }

  /// The message of a lock that must fail.
  func message(_ recipe: Recipe) async -> String {
    do {
      _ = try await lock(recipe)
      return "no failure"
    } catch { return "\(error)".replacing(registry.url, with: "http://registry/") }
  }

  static let all = [
    ("@anthropic-ai/claude-code", "2.1.197"), ("@openai/codex", "^0.163"),
    ("@google/gemini-cli", ""), ("puppeteer", "24"),
  ]
}
