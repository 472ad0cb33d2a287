import Foundation
import Support
import SystemPackage
import Testing

/// A `World` whose recipe takes the command line tools from a registry, a browser from a zip file, and
/// this machine's own Node.
final class ToolWorld {
  static let chrome = "142.0.7444.175"

  let world: World
  let registry: NPMServer
  private let node: String

  init(_ packages: [NPMServer.Package] = NPMServer.tools) throws {
    world = try World()
    registry = try NPMServer(packages)
    node = String(try runTool("node", ["--version"]).succeeded().output.dropFirst().dropLast())
  }

  /// Writes the recipe.
  ///
  /// - Parameters:
  ///   - tools: the elements of `packages`, as TOML.
  ///   - more: further keys of `[npm]`.
  ///   - chrome: the version of the browser; nil leaves it out.
  ///   - tables: further tables.
  ///   - node: the version that is claimed; nil: the one that comes.
  func write(
    tools: [String] = ToolWorld.tools, more: String = "", chrome: String? = nil,
    tables: String = "", node: String? = nil
  ) throws {
    var text = world.recipe().replacing("size = \"128MiB\"", with: "size = \"512MiB\"")
    text += "\n[npm]\nregistry = \"\(registry.url)\"\nnode = \"\(node ?? self.node)\"\n"
    text += "packages = [\(tools.joined(separator: ", "))]\n\(more)\n"
    if let chrome {
      let path = "/chrome/\(chrome)/linux64/chrome-linux64.zip"
      world.server.serve(path, try browser(chrome))
      text +=
        "\n[chromium]\nsource = \"chrome-for-testing\"\nurl = \"\(world.server.url(path))\"\n"
    }
    text += "\n[[archive]]\nname = \"node\"\nsource = \"\(try nodeArchive())\"\ninto = \"/usr\"\n"
    try world.folder.write("tiny.toml", text + tables)
  }

  static let tools = [
    "\"@anthropic-ai/claude-code@2.1.197\"", "\"@openai/codex@^0.163 || ^0.164\"",
    "\"@google/gemini-cli\"", "\"puppeteer@24\"",
  ]

  /// Node and its libraries, as files below `/usr`.
  private func nodeArchive() throws -> FilePath {
    let archive = world.folder / "node.tar"
    if FileManager.default.fileExists(atPath: archive.string) { return archive }
    let program = try runTool("sh", ["-c", "readlink -f \"$(command -v node)\""]).succeeded().output
      .trimmingCharacters(in: .whitespacesAndNewlines)
    let libraries = try runTool("ldd", [program]).succeeded().output.split(separator: "\n")
      .compactMap { $0.split(separator: " ").first { $0.hasPrefix("/lib/") }.map(String.init) }
    let place = FilePath(program).removingLastComponent().string
    _ = try runTool(
      "tar",
      ["--dereference", "-cf", archive.string, "--transform", "s,^node$,bin/node,", "-C", place]
        + ["node", "-C", "/"] + libraries.map { String($0.dropFirst()) }
    ).succeeded()
    return archive
  }

  /// A zip file of the shape that Chrome for Testing has.
  private func browser(_ version: String) throws -> [UInt8] {
    let folder = try TemporaryFolder()
    try folder.write(
      "chrome-linux64/chrome", nativeProgram(printing: "Google Chrome for Testing \(version)"))
    try folder.write("chrome-linux64/chrome_sandbox", nativeProgram(printing: "a helper"))
    try folder.write(
      "chrome-linux64/deb.deps", "hello (>= 1.0)\nnot-there-at-all | libc6 (>= 1.0)\n")
    _ = try runTool(
      "sh",
      [
        "-c",
        "chmod 755 chrome-linux64/chrome*; touch -d @1700000000 chrome-linux64/*; zip -qrX chrome.zip chrome-linux64",
      ], folder: folder.path.string
    ).succeeded()
    return Array(try Data(contentsOf: URL(fileURLWithPath: (folder / "chrome.zip").string)))
  }

  /// A line of the recipe, by what stands in it.
  func line(of text: String) throws -> Int {
    let recipe = try String(contentsOfFile: (world.folder / "tiny.toml").string, encoding: .utf8)
    let lines = recipe.split(separator: "\n", omittingEmptySubsequences: false)
    return try #require(lines.firstIndex { $0.contains(text) }) + 1
  }
}

/// What these tests need beside what builds need.
let canBuildTools =
  canBuild && isLong && ["npm", "node", "zip", "ldd"].allSatisfy(hasTool)
  && (20...).contains(
    Int((try? runTool("node", ["--version"]).output.dropFirst().prefix { $0 != "." }) ?? "") ?? 0)
