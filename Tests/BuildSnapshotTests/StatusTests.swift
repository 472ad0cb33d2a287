import Foundation
import Support
import SystemPackage
import Testing

/// Whether what is published is what the working tree holds.
@Suite("The status", .enabled(if: canBuild, "needs root and gpg, dpkg-deb, unshare, e2fsck"))
struct StatusTests {
  @Test("tells of an agent that changed after the published build, and by how long")
  func agentOfFiles() throws {
    let world = try World()
    let nothing = try world.status()
    #expect(nothing.status == 1)
    #expect(nothing.output == "image     tiny: nothing is published yet\n")

    try world.build()
    let version = try #require(try world.versions.first)
    let same = try world.status()
    #expect(same.status == 0, "\(same.errors)")
    #expect(
      same.output == """
        image     tiny@\(version), published 0 min ago
        success   0 min ago, published
        agent     server is as published

        """)

    try world.folder.write("agent/serve", "#!/bin/sh\necho served better\n")
    try world.touch("agent/serve", minutes: 67)
    let drifted = try world.status()
    #expect(drifted.status == 1)
    #expect(
      drifted.output.hasSuffix("agent     server changed 67 minutes after the published build\n"))
    #expect(try world.status("--json").output.contains("\"state\" : \"changed\""))

    try world.build()
    #expect(try world.status().status == 0)
  }

  @Test("tells when a build last succeeded and when one last failed")
  func runs() throws {
    let world = try World()
    try world.folder.write("tiny.toml", world.recipe(run: "exit 3"))
    #expect(try world.run().status == 1)
    let failed = try world.status()
    #expect(failed.status == 1)
    #expect(
      failed.output.hasPrefix(
        "image     tiny: nothing is published yet\nfailure   0 min ago, failed: "))
    #expect(!failed.output.contains("success"))

    try world.folder.write("tiny.toml", world.recipe())
    try world.build()
    let both = try world.status()
    #expect(both.status == 0)
    #expect(both.output.contains("\nsuccess   0 min ago, published\nfailure   0 min ago, failed: "))
    let text = try world.status("--json").output
    let json = try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(json["image"] as? String == "tiny")
    #expect((json["lastSuccess"] as? [String: Any])?["result"] as? String == "published")
    #expect((json["lastFailure"] as? [String: Any])?["exitStatus"] as? Int == 1)
    for name in ["lastSuccessAge", "lastFailureAge"] {
      #expect((0..<600).contains(try #require(json[name] as? Int)), "\(name)")
    }
  }

  @Test(
    "tells of a program whose source changed, until it is built again",
    .enabled(if: isLong && hasTool("swift"), "compiles; set BUILD_SNAPSHOT_LONG_TESTS=1"))
  func agentOfSource() throws {
    let world = try World()
    try world.folder.write(
      "Package.swift",
      """
      // swift-tools-version: 6.0
      import PackageDescription
      let package = Package(
        name: "agents",
        products: [.executable(name: "greeter", targets: ["Greeter"])],
        targets: [.executableTarget(name: "Greeter")])
      """)
    try world.folder.write("Sources/Greeter/main.swift", "print(\"hello\")\n")
    let agent = """
      [[agent]]
      name = "greeter"
      source = "product:greeter"
      into = "/opt/agents/"

      """
    try world.folder.write("tiny.toml", world.recipe() + agent)
    let disk = try world.build()
    let manifest = try String(
      contentsOfFile: disk.removingLastComponent().appending("manifest.json").string,
      encoding: .utf8)
    #expect(manifest.contains("\"compiler\" : \"Swift version"))
    #expect(
      try runTool("debugfs", ["-R", "stat /opt/agents/greeter", disk.string]).output
        .contains("Mode:  0755"))
    #expect(try world.run("plan").output.contains("agents    reused   the store has programs"))
    #expect(try world.status().output.contains("greeter is as published"))

    // A comment makes no other program: once it is compiled, nothing has changed.
    try world.folder.write("Sources/Greeter/main.swift", "print(\"hello\")  // the world\n")
    try world.touch("Sources/Greeter/main.swift", minutes: 3 * 60)
    #expect(
      try world.status().output.contains(
        "greeter changed 3 hours after the published build"))
    #expect(
      try world.run("plan").output.contains(
        "agents    compiled these have other sources now: greeter"))
    #expect(try world.run().errors.contains("unchanged: tiny"))
    #expect(try world.status().status == 0)

    try world.folder.write("Sources/Greeter/main.swift", "print(\"good bye\")\n")
    #expect(try world.status().status == 1)
    try world.build()
    #expect(try world.status().status == 0)

    try world.folder.write("tiny.toml", world.recipe() + agent.replacing("t:gr", with: "t:g"))
    let faulty = try world.run()
    #expect(faulty.status == 65)
    #expect(faulty.errors.contains("has no executable product 'geeter'; did you mean 'greeter'?"))
  }
}

extension World {
  fileprivate func status(_ options: String...) throws -> ToolResult {
    try program.run(["status", "tiny.toml", "--store", store.string] + options)
  }

  /// Makes a file look as if it was changed so long from now.
  fileprivate func touch(_ name: String, minutes: Int) throws {
    let date = Date(timeIntervalSinceNow: Double(minutes) * 60 + 5)
    try FileManager.default.setAttributes(
      [.modificationDate: date], ofItemAtPath: (folder / name).string)
  }
}
