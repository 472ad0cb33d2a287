import Foundation
import Model
import Reading
import Support
import Testing

private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().appending(path: "recipes")

@Suite("The recipes in this repository")
struct ShippedRecipeTests {
  @Test(arguments: try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted())
  func areRight(name: String) throws {
    guard name.hasSuffix(".toml") else { return }
    let recipe = try readRecipe(at: folder.appending(path: name).path)
    #expect(recipe.image.name == name.dropLast(".toml".count))
    #expect(recipe.environment.isEmpty)
  }

  @Test func theMinimalOneHasAnAgent() throws {
    let recipe = try readRecipe(at: folder.appending(path: "minimal-debian-12.toml").path)
    #expect(recipe.image.size == 2 << 30)
    #expect(recipe.base.mirror == .host)
    #expect(recipe.base.pockets == ["updates", "security"])
    #expect(recipe.packages.install.map(\.value).contains("systemd-sysv"))
    let agent = try #require(recipe.agents.first)
    #expect(agent.source == .path(folder.appending(path: "agents/sample").path))
    #expect(agent.isEnabled)
  }

  @Test func theExamplesOfTheDocumentationAreRight() throws {
    let page = try String(contentsOf: folder.appending(path: "README.md"), encoding: .utf8)
    let blocks = page.split(separator: "```toml\n").dropFirst().map { $0.prefix { $0 != "`" } }
    #expect(blocks.count == 15)
    let copy = try TemporaryFolder()
    for name in ["common", "agents", "units", "files"] {
      try FileManager.default.createSymbolicLink(
        atPath: (copy / name).string, withDestinationPath: folder.appending(path: name).path)
    }
    let file = try copy.write("example.toml", blocks.joined())
    let recipe = try readRecipe(at: file.string, environment: ["HOME": "home"])
    #expect(recipe.files.contains { $0.content == .text("Welcome to home\n") })
  }
}
