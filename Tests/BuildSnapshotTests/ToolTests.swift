import Foundation
import Support
import SystemPackage
import Testing

/// Command line tools and a browser, from a registry and a zip file to an image.
@Suite(
  "Tools and a browser",
  .enabled(
    if: canBuildTools,
    "needs root, npm, Node 20, zip, what builds need, and BUILD_SNAPSHOT_LONG_TESTS=1"))
struct ToolTests {
  @Test("are locked, built without a network, run under Node, and move one at a time")
  func whole() throws {
    let tools = try ToolWorld()
    let world = tools.world
    tools.registry.yank("@openai/codex", "0.164.0")
    try tools.write(
      more: "environment = { DISABLE_AUTOUPDATER = \"0\" }", chrome: ToolWorld.chrome,
      tables: """

        [[run]]
        name = "ask the tools"
        user = "agent"
        command = ["/bin/sh", "-c", "claude --version; codex --version; gemini; puppeteer; chromium"]
        """)
    try drop("install = [\"hello\"]", from: world)
    let first = try world.run("lock")
    #expect(first.status == 0, "\(first.errors)")
    let lock = try String(contentsOfFile: world.lockFile.string, encoding: .utf8)
    #expect(lock.contains("\"name\": \"hello\""), "what 'deb.deps' names")
    #expect(
      lock.contains(
        "\"depends\": [\"hello (>= 1.0)\", \"not-there-at-all | libc6 (>= 1.0)\"]"))
    #expect(!lock.contains("127.0.0.1"))

    // Everything again from nothing: the same bytes.
    try FileManager.default.removeItem(atPath: world.lockFile.string)
    #expect(try world.run("lock").status == 0)
    #expect(try String(contentsOfFile: world.lockFile.string, encoding: .utf8) == lock)

    // Locking has brought all but the debs.
    let fetched = try world.run("build", "--progress", "json", "--no-publish", "--output", "x.ext4")
    #expect(fetched.status == 0, "\(fetched.errors.suffix(2000))")
    let requests = tools.registry.server.requests.count
    let result = try world.run("build", "--offline", "--locked", "--progress", "plain")
    #expect(result.status == 0, "\(result.errors.suffix(2000))")
    #expect(tools.registry.server.requests.count == requests)
    for line in [
      "2.1.197 (Claude Code)", "codex-cli 0.163.0", "0.20.0 strip6 wrap5", "24.31.0",
      "Google Chrome for Testing \(ToolWorld.chrome)",
    ] {
      #expect(fetched.errors.contains(line), "\(line)")
    }
    try look(at: FilePath(String(result.output.dropLast())))

    for package in NPMServer.tools where package.name == "@openai/codex" {
      if package.version == "0.164.0" { tools.registry.publish(package) }
    }
    tools.registry.publish(NPMServer.Package("@google/gemini-cli", "0.21.0"))
    let moved = try world.run("lock", "--update", "codex")
    #expect(moved.status == 0, "\(moved.errors)")
    #expect(moved.errors.hasSuffix("  ~ @openai/codex 0.163.0 → 0.164.0\n"), "\(moved.errors)")
    let new = try String(contentsOfFile: world.lockFile.string, encoding: .utf8)
    let changed = Set(new.split(separator: "\n")).subtracting(lock.split(separator: "\n"))
    #expect(!changed.isEmpty)
    #expect(changed.allSatisfy { $0.contains("codex") || $0.contains("\"version\": \"0.164.0\"") })
    try world.expectNoDebris()
  }

  /// What the image has of the browser and of the variables.
  private func look(at disk: FilePath) throws {
    func ask(_ command: String) throws -> String {
      try runTool("debugfs", ["-R", command, disk.string]).output
    }
    #expect(try ask("stat /usr/bin/chromium").contains("Fast link dest: \"/opt/chromium/chrome\""))
    let helper = try ask("stat /opt/chromium/chrome-sandbox")
    #expect(helper.contains("Mode:  04755"))
    #expect(helper.contains("User:     0   Group:     0"))
    #expect(
      try ask("cat /etc/environment") == """
        DISABLE_AUTOUPDATER=0
        NO_UPDATE_NOTIFIER=1
        NPM_CONFIG_UPDATE_NOTIFIER=false
        PUPPETEER_EXECUTABLE_PATH=/usr/bin/chromium
        PUPPETEER_SKIP_DOWNLOAD=1

        """)
    #expect(try ask("ls /etc/apparmor.d").isEmpty)
  }

  @Test("of a registry that wants a token: it stays with npm")
  func token() throws {
    let tools = try ToolWorld()
    let token = "npm_very-secret-token"
    tools.registry.require(token: token)
    let settings = try tools.world.folder.write(
      "npmrc", "//127.0.0.1:\(tools.registry.server.port)/:_authToken=\(token)\n")
    try tools.write(tools: ["\"@openai/codex@0.163.0\""])
    let refused = try tools.world.run("lock")
    #expect(refused.status != 0)
    let program = Program(
      folder: tools.world.folder.path, environment: ["npm_config_userconfig": settings.string])
    let result = try program.run(
      tools.world.arguments("build", ["--progress", "json"]))
    #expect(result.status == 0, "\(result.errors.suffix(2000))")
    #expect(!result.errors.contains(token))
    // A store without the tarballs asks npm again.
    try FileManager.default.removeItem(atPath: tools.world.store.appending("blobs").string)
    try FileManager.default.removeItem(atPath: tools.world.store.appending("images").string)
    let again = try program.run(tools.world.arguments("build", ["--locked"]))
    #expect(again.status == 0, "\(again.errors.suffix(2000))")
    let found = try runTool(
      "grep", ["-rlF", token, tools.world.store.string, tools.world.lockFile.string])
    #expect(found.output == "")
  }

  @Test("may run the install scripts that the recipe names, without a network")
  func scripts() throws {
    let tools = try ToolWorld(
      NPMServer.tools + [
        NPMServer.Package(
          "placer", "1.0.0",
          manifest:
            "\"bin\": {\"placer\": \"run.js\"}, \"scripts\": {\"postinstall\": \"node place.js\"}",
          files: [
            "run.js": TarFile("#!/usr/bin/env node\nconsole.log(require('./placed.json'));\n"),
            "place.js": TarFile(
              """
              const net = require("node:os").networkInterfaces();
              require("node:fs").writeFileSync("placed.json", JSON.stringify("1.0.0 with "
                + Object.keys(net).length + " networks"));

              """),
          ])
      ])
    let say = """

      [[run]]
      name = "ask"
      command = ["/usr/local/bin/placer"]
      """
    try tools.write(tools: ["\"placer\""], tables: say)
    let without = try tools.world.run()
    #expect(without.status == 1)
    #expect(without.errors.contains("Cannot find module './placed.json'"))
    try tools.write(tools: ["\"placer\""], more: "scripts = [\"placer\"]", tables: say)
    let result = try tools.world.run("build", "--progress", "json")
    #expect(result.status == 0, "\(result.errors.suffix(2000))")
    #expect(result.errors.contains("1.0.0 with 0 networks"))
    try tools.write(tools: ["\"placer\""], more: "scripts = [\"places\"]")
    let wrong = try tools.world.run()
    #expect(wrong.status == 65)
    let line = try tools.line(of: "scripts =")
    #expect(
      wrong.errors.hasSuffix(
        "tiny.toml:\(line):12: error: 'places' of 'scripts' is not among what [npm] brings; did you "
          + "mean 'placer'?\n"), "\(wrong.errors)")
  }

  private func drop(_ text: String, from world: World) throws {
    let file = (world.folder / "tiny.toml").string
    let recipe = try String(contentsOfFile: file, encoding: .utf8)
    try recipe.replacing(text, with: "")
      .write(toFile: file, atomically: true, encoding: .utf8)
  }
}
