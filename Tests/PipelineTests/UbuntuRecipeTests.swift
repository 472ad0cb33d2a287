import Foundation
import Model
import Pipeline
import Support
import SystemPackage
import Testing

@Suite("The golden recipe on Ubuntu", .enabled(if: canMakeRepositories, "needs gpg and dpkg-deb"))
struct UbuntuRecipeTests {
  /// Against a signed suite named jammy with a stand-in for every package, and wheels of a folder.
  @Test(.enabled(if: hasTool("python3"), "needs python3 with pip"))
  func resolvesEveryInput() async throws {
    let folder = try TemporaryFolder()
    let golden = try source(folder, "", variables: [:]).read()
    let repository = try AptRepository(suite: "jammy", components: ["main", "universe"])
    let names = golden.packages.install.map(\.value) + ["base-files", "apt"]
    for name in Set(names).sorted() {
      try repository.add(AptPackage(name, isEssential: name == "base-files"))
    }
    try repository.publish()
    let browser = try folder.write("chrome-linux64.zip", "a stand-in for the browser")
    try makeWheels(golden.wheels.map(\.package), in: folder)

    // pip's own configuration counts; the test sets it as a user would.
    setenv("PIP_FIND_LINKS", folder.path.string, 1)
    setenv("PIP_NO_INDEX", "1", 1)
    defer {
      unsetenv("PIP_FIND_LINKS")
      unsetenv("PIP_NO_INDEX")
    }
    let recipe = try source(
      folder, "[base]\nkeyring = \"\(repository.keyring)\"\n",
      variables: ["mirror": repository.url, "chromium": "file://\(browser)"])
    let result = try await lock(LockRequest(source: recipe, store: folder / "store")) { _ in }
    #expect(Set(result.lock.packages.map(\.name)) == Set(names))
    #expect(Set(result.lock.packages.map(\.repository)) == ["jammy"])
    #expect(result.lock.archives.map(\.name) == ["chromium"])
    #expect(
      result.lock.wheels.map { "\($0.name)==\($0.version)" }
        == golden.wheels.map(\.package).sorted())
    #expect(result.changes == ["new lock: \(result.lock.packages.count) packages"])
    let again = try await lock(LockRequest(source: recipe, store: folder / "store")) { _ in }
    #expect(again.changes.isEmpty)
  }

  /// A recipe that builds on the one of this repository.
  private func source(
    _ folder: TemporaryFolder, _ more: String, variables: [String: String]
  ) throws -> RecipeSource {
    let recipes = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appending(path: "recipes")
    let file = try folder.write(
      "golden.toml",
      "schema = 1\nextends = [\"\(recipes.path)/golden-ubuntu-22.04.toml\"]\n\(more)")
    return RecipeSource(
      file: file.string, variables: variables,
      environment: [:])
  }

  /// Empty wheels of the wanted names and versions, where pip looks for them.
  private func makeWheels(_ requirements: [String], in folder: TemporaryFolder) throws {
    let script = """
      import sys, zipfile
      for requirement in sys.argv[1:]:
          name, version = requirement.split("==")
          stem = name.replace("-", "_") + "-" + version
          with zipfile.ZipFile(stem + "-py3-none-any.whl", "w") as wheel:
              info = stem + ".dist-info/"
              wheel.writestr(info + "METADATA", f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
              wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
              wheel.writestr(info + "RECORD", "")
      """
    _ = try runTool("python3", ["-c", script] + requirements, folder: folder.path.string)
      .succeeded()
  }
}
