import Model
import Reading
import Support
import Testing

@Suite("Tools of npm in recipes")
struct NPMTests {
  @Test func haveAVersionAndMayBeNative() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write(
      "r.toml",
      """
      schema = 1
      image.name = "right"
      base = { distribution = "debian", suite = "bookworm" }
      [npm]
      node = "20.18.0"
      packages = ["@openai/codex@^0.163 || >=1.2", { name = "@a/b@1.0.0", native = true }, "c"]
      bin = { codex = "@openai/codex" }
      environment = { DISABLE_AUTOUPDATER = "0", MINE = "1" }
      """)
    let npm = try #require(try readRecipe(at: file.string).npm)
    #expect(npm.into == "/opt/clis")
    #expect(npm.registry == nil)
    #expect(npm.node?.value == "20.18.0")
    #expect(npm.tools.map(\.package) == ["@openai/codex", "@a/b", "c"])
    #expect(npm.tools.map(\.range) == ["^0.163 || >=1.2", "1.0.0", ""])
    #expect(npm.tools.map(\.isNative) == [false, true, false])
    #expect(npm.tools.map(\.folder) == ["codex", "b", "c"])
    #expect(npm.tools[0].position.line == 6)
    #expect(npm.commands == ["codex": "@openai/codex"])
    #expect(
      npm.environment == [
        "DISABLE_AUTOUPDATER": "0", "MINE": "1", "NO_UPDATE_NOTIFIER": "1",
        "NPM_CONFIG_UPDATE_NOTIFIER": "false", "PUPPETEER_SKIP_DOWNLOAD": "1",
      ])
  }
}
