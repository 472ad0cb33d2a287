import Model
import Resolving
import Support
import Testing

@Suite("Packages that cannot be had", .enabled(if: canMakeRepositories, "needs gpg and dpkg-deb"))
struct PackageFaultTests {
  private func message(
    _ install: [String], exclude: [String] = [], adding packages: [AptPackage]
  ) async throws -> String {
    let world = try World()
    for package in packages { try world.repository.add(package) }
    try world.repository.publish()
    let recipe = testRecipe(world.base, install: install, exclude: exclude)
    return try await world.failure(recipe)?.description ?? "no failure"
  }

  @Test("are all named at once, each at its line, with what was probably meant")
  func unknown() async throws {
    #expect(
      try await message(
        ["chromum", "tool", "nothing-like-it", "tool=3"],
        adding: [AptPackage("chromium"), AptPackage("tool", "1:2-3")])
          == """
          test.toml:11:3: error: there is no package 'chromum' in 'jammy', 'jammy-updates', \
          'jammy-security'; did you mean 'chromium'?
          test.toml:13:3: error: there is no package 'nothing-like-it' in 'jammy', \
          'jammy-updates', 'jammy-security'
          test.toml:14:3: error: there is no version '3' of the package 'tool'; there is 1:2-3
          """)
  }

  @Test("include those of which several packages provide one")
  func virtual() async throws {
    let provides = ["Provides": "mail-agent"]
    #expect(
      try await message(
        ["mail-agent"],
        adding: [AptPackage("zmail", fields: provides), AptPackage("amail", fields: provides)])
        == "test.toml:11:3: error: 'mail-agent' is not a package but provided by several; "
        + "name one of amail, zmail")
  }

  @Test("include those whose dependencies are missing")
  func unmet() async throws {
    let tool = AptPackage("tool", depends: "library (>= 2)")
    let message = try await message(
      ["tool", "good"], adding: [tool, AptPackage("library"), AptPackage("good")])
    #expect(
      message == "test.toml:11:3: error: 'tool' cannot be installed: "
        + "Depends: library (>= 2) but it is not going to be installed")
  }

  @Test("include those that need what the recipe excludes")
  func excluded() async throws {
    #expect(
      try await message(
        ["tool"], exclude: ["library"],
        adding: [AptPackage("tool", depends: "library"), AptPackage("library")])
        == "test.toml:11:3: error: 'tool' cannot be installed: "
        + "Depends: library but it is not installable; 'library' is excluded at test.toml:51:3")
    #expect(
      try await message(["tool"], exclude: ["tool"], adding: [AptPackage("tool")])
        == "test.toml:11:3: error: 'tool' is both in 'install' and in 'exclude'")
  }

  @Test("include those of a component that the repository does not have")
  func component() async throws {
    let world = try World()
    try world.repository.publish()
    var base = world.base
    base.components = ["main", "universe"]
    base.pockets = []
    #expect(
      try await world.failure(testRecipe(base))?.description
        == "test.toml:5:1: error: 'jammy' has no component 'universe' for 'amd64'; "
        + "it has main for amd64")
  }

  @Test("include those of a snapshot, which is not supported yet")
  func snapshot() async throws {
    let world = try World()
    var base = world.base
    base.snapshot = "20261120T000000Z"
    #expect(
      try await world.failure(testRecipe(base))?.description
        == "test.toml:5:1: error: 'snapshot' is not supported yet")
  }
}
