import Foundation
import Model
import Pipeline
import Support
import SystemPackage
import Testing

@Suite("The golden recipes", .enabled(if: canMakeRepositories, "needs gpg and dpkg-deb"))
struct GoldenRecipeTests {
  /// Against a signed suite with a stand-in for every package, wheels of a folder, a registry of npm, and a
  /// browser's zip file.
  @Test(
    "resolve every input, those of npm and the browser too",
    .enabled(
      if: isLong && ["python3", "npm", "zip"].allSatisfy(hasTool),
      "needs python3 with pip, npm, zip and BUILD_SNAPSHOT_LONG_TESTS=1"),
    arguments: ["golden-ubuntu-22.04", "golden-npm-debian-12"])
  func resolve(name: String) async throws {
    let folder = try TemporaryFolder()
    let golden = try source(name, folder, "", variables: [:]).read()
    let isUbuntu = golden.base.distribution == .ubuntu
    let repository = try AptRepository(
      suite: golden.base.suite, layout: isUbuntu ? .ubuntu : .debian,
      components: golden.base.components)
    var names = golden.packages.install.map(\.value) + ["base-files", "apt"]
    // What the browser's archive asks for.
    if isUbuntu { names += ["libnss3", "libgbm1"] }
    for name in Set(names).sorted() {
      try repository.add(
        AptPackage(
          name, name == "chromium" ? "130.0.6723.58-1~deb12u1" : "1.0",
          isEssential: name == "base-files"))
    }
    try repository.publish()
    let browser = try browserArchive(in: folder)
    try makeWheels(golden.wheels.map(\.package), in: folder)
    let registry = try NPMServer(NPMServer.tools + NPMServer.olderPuppeteer)

    // The tools' own configuration counts; the test sets it as a user would.
    let settings = [
      "PIP_FIND_LINKS": folder.path.string, "PIP_NO_INDEX": "1",
      "npm_config_registry": registry.url,
    ]
    for (key, value) in settings { setenv(key, value, 1) }
    defer { for key in settings.keys { unsetenv(key) } }
    let security = isUbuntu ? "" : "security_mirror = \"\(repository.securityURL)\"\n"
    let recipe = try source(
      name, folder, "[base]\nkeyring = \"\(repository.keyring)\"\n\(security)",
      variables: isUbuntu
        ? ["mirror": repository.url, "chromium": "file://\(browser)"] : ["mirror": repository.url])
    let result = try await lock(LockRequest(source: recipe, store: folder / "store")) { _ in }
    #expect(Set(result.lock.packages.map(\.name)) == Set(names))
    #expect(result.lock.archives.map(\.name) == (isUbuntu ? ["chromium"] : []))
    #expect(result.lock.archives.flatMap(\.depends) == (isUbuntu ? ["libgbm1", "libnss3"] : []))
    #expect(
      result.lock.npm.map { "\($0.name) \($0.version)" } == [
        "claude-code 2.1.205", "codex 0.164.0", "gemini-cli 0.20.0", "puppeteer 23.6.0",
      ])
    #expect(
      result.lock.wheels.map { "\($0.name)==\($0.version)" }
        == golden.wheels.map(\.package).sorted())
    #expect(result.changes == ["new lock: \(result.lock.packages.count) packages"])
    let again = try await lock(LockRequest(source: recipe, store: folder / "store")) { _ in }
    #expect(again.changes.isEmpty)
  }

  /// A recipe that builds on one of this repository.
  private func source(
    _ name: String, _ folder: TemporaryFolder, _ more: String, variables: [String: String]
  ) throws -> RecipeSource {
    let recipes = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appending(path: "recipes")
    let file = try folder.write(
      "golden.toml", "schema = 1\nextends = [\"\(recipes.path)/\(name).toml\"]\n\(more)")
    return RecipeSource(
      file: file.string, variables: variables,
      environment: [:])
  }

  /// A zip file of the shape that Chrome for Testing has, in a folder that tells its version.
  private func browserArchive(in folder: TemporaryFolder) throws -> FilePath {
    try folder.write("130.0.6723.58/chrome-linux64/chrome", "a stand-in for the browser")
    try folder.write("130.0.6723.58/chrome-linux64/deb.deps", "libnss3\nlibgbm1\n")
    _ = try runTool(
      "zip", ["-qrX", "chrome-linux64.zip", "chrome-linux64"],
      folder: (folder / "130.0.6723.58").string
    ).succeeded()
    return (folder / "130.0.6723.58").appending("chrome-linux64.zip")
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
