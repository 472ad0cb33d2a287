import Foundation
import Support
import SystemPackage
import Testing

/// What npm, apt and a look at the tree would let pass: each stops the build with words of its own, and
/// nothing is published.
@Suite(
  "Tools that are not what they should be",
  .enabled(
    if: canBuildTools,
    "needs root, npm, Node 20, zip, what builds need, and BUILD_SNAPSHOT_LONG_TESTS=1"))
struct ToolFaultTests {
  private static let codex = "\"@openai/codex@0.163.0\""
  private static let platform = NPMServer.path(of: "@openai/codex", "0.163.0-linux-x64")

  /// Builds in vain.
  ///
  /// - Parameter message: what the last lines must be; `…` stands for anything.
  private func expectFailure(
    _ tools: ToolWorld, _ status: Int32, _ message: String,
    at place: SourceLocation = #_sourceLocation
  ) throws {
    let result = try tools.world.run()
    #expect(result.status == status, "\(result.errors)", sourceLocation: place)
    var rest = result.errors[...]
    for part in message.split(separator: "…", omittingEmptySubsequences: false) {
      guard let range = rest.firstRange(of: part) else {
        Issue.record("'\(part)' is not in: \(result.errors)", sourceLocation: place)
        break
      }
      rest = rest[range.upperBound...]
    }
    #expect(rest == "\n", "\(result.errors)", sourceLocation: place)
    #expect(try tools.world.versions == [], sourceLocation: place)
    try tools.world.expectNoDebris(partialBlobs: true, at: place)
  }

  @Test("by the registry's fault: versions and platform packages that are gone")
  func gone() throws {
    let tools = try ToolWorld()
    try tools.write(tools: [Self.codex])
    let line = try tools.line(of: "packages = [\"@")
    tools.registry.yank("@openai/codex", "0.163.0-linux-x64")
    try expectFailure(
      tools, 65,
      "tiny.toml:\(line):13: error: '@openai/codex' 0.163.0 needs '@openai/codex-linux-x64' "
        + "(@openai/codex@0.163.0-linux-x64), which the registry does not have; npm would go on "
        + "without it, and the program would not run; pin another version")
    tools.registry.yank("@openai/codex", "0.163.0")
    try expectFailure(
      tools, 65,
      "tiny.toml:\(line):13: error: the registry has no '@openai/codex' of version '0.163.0'; the "
        + "newest are 0.164.0; tags: latest (0.164.0)")
  }

  @Test("by the registry's fault: a tarball that is not there, cut off, stalled, or other bytes")
  func tarballs() throws {
    let tools = try ToolWorld()
    try tools.write(tools: [Self.codex])
    let server = tools.registry.server
    let url = server.url(Self.platform)
    let name = "npm @openai/codex 0.163.0-linux-x64"
    for (fault, status, message) in [
      (
        LoopbackServer.Fault.status(404), 69 as Int32,
        "not found: '\(name)' at '\(url)'; the source may have moved on: try 'lock --update'"
      ),
      (
        .truncated(after: 100), 69,
        "cannot fetch '\(name)': '\(url)': transfer closed with … bytes remaining to read"
      ),
      (.stalled(after: 100), 69, "cannot fetch '\(name)': '\(url)': nothing came for 1.0 seconds"),
      (
        .wrongByte, 1,
        "'\(name)' is not to be trusted: its hash is sha512-…==, not sha512-…=="
      ),
    ] {
      server.fail(Self.platform, fault)
      try expectFailure(tools, status, "build-snapshot: \(message)")
      server.heal(Self.platform)
    }
    tools.registry.forge("@openai/codex", "0.163.0-linux-x64")
    try expectFailure(
      tools, 1,
      "build-snapshot: '\(name)' is not to be trusted: its hash is sha512-…==, not sha512-…=="
    )
  }

  @Test("by the registry's fault: it has enough, for now or for good, or is slow")
  func busy() throws {
    let tools = try ToolWorld()
    try tools.write(tools: [Self.codex])
    let server = tools.registry.server
    server.fail(Self.platform, .tooManyRequests(retryAfter: "0"))
    try expectFailure(
      tools, 69,
      "build-snapshot: cannot fetch 'npm @openai/codex 0.163.0-linux-x64': "
        + "'\(server.url(Self.platform))': the server answers 429")
    server.heal(Self.platform)
    server.fail(Self.platform, .tooManyRequests(retryAfter: "0"), times: 1)
    server.fail(Self.platform, .slow(piece: 50))
    let result = try tools.world.run("lock")
    #expect(result.status == 0, "\(result.errors)")
  }

  @Test("for a newer Node than the image's")
  func engine() throws {
    let tools = try ToolWorld()
    let name = "@anthropic-ai/claude-code"
    try tools.write(tools: ["\"\(name)\""], node: "20.18.0")
    try expectFailure(
      tools, 65,
      "tiny.toml:\(try tools.line(of: "packages = [\"@")):13: error: '\(name)' 2.1.198 and later need "
        + "node >=22.0.0, the recipe has 20.18.0; pin 2.1.197, or take its native package, which "
        + "needs no Node, with 'native = true'")
  }

  @Test("a Node that is not the one that was claimed")
  func otherNode() throws {
    let tools = try ToolWorld()
    try tools.write(tools: [Self.codex], node: "20.0.1")
    try expectFailure(
      tools, 1,
      "build-snapshot: programs of the root are not what they should be:\n  tiny.toml:"
        + "\(try tools.line(of: "[npm]")):2: error: 'node', which the tools of [npm] need, says 'v…' "
        + "when asked for its version, the lock has 20.0.1")
  }

  @Test("a stand-in for a snap: refused before any deb is fetched")
  func snap() throws {
    let world = try World()
    let recipe = world.recipe().replacing("[\"hello\"]", with: "[\"hello\", \"chromium-browser\"]")
    for more in ["", "exclude = [\"snapd\"]\n"] {
      try world.folder.write("tiny.toml", recipe.replacing("\n[[user]]", with: more + "\n[[user]]"))
      let result = try world.run()
      #expect(result.status == 65)
      #expect(
        result.errors.hasSuffix(
          "tiny.toml:16:21: error: 'chromium-browser' 1:85.0.4183.83-0ubuntu2.22.04.1 is only a "
            + "stand-in for a snap: it needs 'snapd', and the program is not in it; take the browser "
            + "with source = \"chrome-for-testing\" in [chromium]\n"), "\(result.errors)")
    }
    #expect(!world.server.requests.contains { $0.path.hasSuffix(".deb") })
    #expect(try world.versions == [])
  }

  @Test("a browser that Puppeteer was not made for")
  func puppeteer() throws {
    let tools = try ToolWorld()
    try tools.write(tools: ["\"puppeteer@24\""], chrome: "130.0.6723.58")
    try expectFailure(
      tools, 65,
      "tiny.toml:\(try tools.line(of: "[chromium]")):2: error: Puppeteer 24.31.0 drives Chrome "
        + "142.0.7444.175, [chromium] has 130.0.6723.58; take the archive of 142.0.7444.175, or pin "
        + "the Puppeteer that drives 130.0.6723.58")
  }

  @Test("a program without one of its libraries, or for a newer C library")
  func libraries() throws {
    let grep = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "/usr/bin/grep")))
    let has =
      try runTool("ldd", ["--version"]).output.split(separator: "\n")[0]
      .split(separator: " ").last ?? ""
    for (old, new, reason) in [
      (
        "libpcre2-8.so.0", "libpcre2-9.so.0",
        "needs 'libpcre2-9.so.0', which the image does not have"
      ),
      ("GLIBC_2.34", "GLIBC_2.99", "needs GLIBC_2.99, the image has \(has)"),
    ] {
      let tools = try ToolWorld([
        NPMServer.Package(
          "searcher", "1.0.0", manifest: "\"bin\": {\"searcher\": \"searcher\"}",
          files: [
            "searcher": TarFile(grep.replacing(Array(old.utf8), with: Array(new.utf8)), mode: 0o755)
          ])
      ])
      try tools.write(tools: ["\"searcher\""])
      try expectFailure(
        tools, 1,
        "build-snapshot: programs of the root are not what they should be:\n  tiny.toml:"
          + "\(try tools.line(of: "packages = [\"sea")):13: error: '/usr/local/bin/searcher', the "
          + "command 'searcher' of 'searcher', \(reason)")
    }
  }
}
