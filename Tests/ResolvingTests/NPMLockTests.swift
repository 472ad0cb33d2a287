import Content
import Foundation
import Model
import Support
import Testing

@testable import Resolving

@Suite(
  "The lock of npm's tools",
  .enabled(if: isLong && hasTool("npm"), "takes npm and BUILD_SNAPSHOT_LONG_TESTS=1"))
struct NPMLockTests {
  @Test("holds what the target needs, twice the same, and reads back")
  func lock() async throws {
    let table = try NPMTable()
    let recipe = table.recipe(NPMTable.all)
    let lock = try await table.lock(recipe)
    try expectGolden(lock.text, "npm.lock.json")
    #expect(try await table.lock(recipe).text == lock.text)
    #expect(try Lock(parsing: lock.text, file: "x.lock") == lock)
    #expect(!lock.text.contains("127.0.0.1"))
    for package in lock.npm.flatMap(\.packages) {
      #expect(try BlobStore(store: table.store).contains(package.tarball.sha256))
    }
  }

  @Test("moves one tool alone, and keeps the others though newer ones are there")
  func update() async throws {
    let table = try NPMTable()
    let recipe = table.recipe([("@google/gemini-cli", ""), ("@openai/codex", "^0.163 || ^0.164")])
    table.registry.yank("@openai/codex", "0.164.0")
    let old = try await table.lock(recipe)
    for package in NPMServer.tools
    where package.name == "@openai/codex" && package.version == "0.164.0" {
      table.registry.publish(package)
    }
    table.registry.publish(NPMServer.Package("@google/gemini-cli", "0.21.0"))
    #expect(try await table.lock(recipe, old: old) == old)
    let new = try await table.lock(recipe, old: old, moving: ["codex"])
    #expect(new.npm.map { "\($0.name) \($0.version)" } == ["codex 0.164.0", "gemini-cli 0.20.0"])
    #expect(new.npm[1] == old.npm[1])
  }

  @Test("takes a native program without its wrapper, whatever Node there is")
  func native() async throws {
    let table = try NPMTable()
    let name = "@anthropic-ai/claude-code"
    let lock = try await table.lock(table.recipe([(name, "")], native: [name], node: nil))
    #expect(lock.npm[0].version == "2.1.205")
    #expect(lock.npm[0].packages.map(\.name) == ["\(name)-linux-x64"])
    #expect(lock.npm[0].commands == ["claude": "node_modules/\(name)-linux-x64/claude"])
  }

  @Test("downloads lead to the registry, and to nowhere for what is there")
  func downloads() async throws {
    let table = try NPMTable()
    let recipe = table.recipe([("@openai/codex", "0.163.0")])
    let lock = try await table.lock(recipe)
    let resolver = try Resolver(
      scratch: table.folder.path, store: table.store, transport: table.transport)
    #expect(try await resolver.downloads(of: lock, for: recipe).map(\.urls) == [[], []])
    let fresh = try Resolver(
      scratch: table.folder.path, store: table.folder / "other", transport: table.transport)
    #expect(
      try await fresh.downloads(of: lock, for: recipe).flatMap(\.urls) == [
        table.registry.server.url(NPMServer.path(of: "@openai/codex", "0.163.0")),
        table.registry.server.url(NPMServer.path(of: "@openai/codex", "0.163.0-linux-x64")),
      ])
  }

  @Test("credentials of the registry stay with npm")
  func token() async throws {
    let table = try NPMTable()
    let settings = try table.folder.write(
      "npmrc", "//127.0.0.1:\(table.registry.server.port)/:_authToken=very-secret\n")
    setenv("npm_config_userconfig", settings.string, 1)
    defer { unsetenv("npm_config_userconfig") }
    let lock = try await table.lock(table.recipe([("@openai/codex", "0.163.0")]))
    #expect(!lock.text.contains("very-secret"))
    let documents = table.registry.server.requests.filter { !$0.path.hasSuffix(".tgz") }
    #expect(documents.allSatisfy { $0.headers["authorization"] == "Bearer very-secret" })
  }
}
