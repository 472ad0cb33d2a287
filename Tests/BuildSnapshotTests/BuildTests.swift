import Foundation
import Support
import SystemPackage
import Testing

/// What a build says and makes when nothing is wrong.
@Suite("A build", .enabled(if: canBuild, "needs root and gpg, dpkg-deb, unshare, e2fsck"))
struct BuildTests {
  @Test("publishes a sound image, then finds it unchanged, then follows a changed agent")
  func whole() throws {
    let world = try World()
    let empty = try world.run("plan")
    #expect(
      empty.output == """
        lock      resolved there is no 'tiny.lock' yet
        inputs    fetched  those that the store lacks, once they are known
        image     rebuilt  nothing is published yet

        """)
    #expect(!FileManager.default.fileExists(atPath: world.store.string))

    let disk = try world.build()
    let version = try #require(try world.versions.first)
    let folder = world.store.pushing(FilePath("images/tiny/\(version)"))
    #expect(disk == folder.appending("rootfs.ext4"))
    #expect(try runTool("e2fsck", ["-fn", disk.string]).status == 0)
    try world.expectNoDebris()
    let pointer = try String(
      contentsOfFile: world.store.appending("images/tiny/latest.json").string, encoding: .utf8)
    #expect(pointer.contains("\"\(version)\""))

    let again = try world.run("build", "--json")
    #expect(again.status == 0)
    #expect(again.output.contains("\"result\" : \"unchanged\""))
    #expect(again.output.contains("\"path\" : \"\(disk)\""))
    #expect(again.errors.contains("unchanged: tiny \(version) has these inputs; no new version"))
    #expect(try world.versions == [version])

    try world.folder.write("agent/serve", "#!/bin/sh\necho served better\n")
    let plan = try world.run("plan").output
    #expect(
      plan == """
        lock      reused   9 packages, 0 wheels, 0 archives
        inputs    reused   all 9 are in the store
        packages  reused   its inputs are the same
        settings  reused   its inputs are the same
        content   reused   its inputs are the same
        agents    rebuilt  agent server: serve changed
        image     rebuilt  agent server changed since \(version)

        """)
    let changed = try world.build("--locked", "--offline")
    #expect(changed != disk)
    #expect(try world.versions.count == 2)
    #expect(
      try runTool("debugfs", ["-R", "cat /opt/server/serve", changed.string]).output
        == "#!/bin/sh\necho served better\n")
    try world.expectNoDebris()
  }

  @Test(
    "writes a manifest that its schema accepts", .enabled(if: hasJSONSchema, "needs jsonschema"))
  func manifest() throws {
    let world = try World()
    let manifest = try world.build().removingLastComponent().appending("manifest.json")
    let schema = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("manifests/manifest.schema.json").path
    let script = """
      import json, sys, jsonschema
      jsonschema.validate(json.load(open(sys.argv[1])), json.load(open(sys.argv[2])))
      """
    let result = try runTool("python3", ["-c", script, manifest.string, schema])
    #expect(result.status == 0, "\(result.errors)")
  }

  @Test("can leave the catalog alone and put the image elsewhere")
  func loose() throws {
    let world = try World()
    let result = try world.run("build", "--no-publish", "--output", "loose.ext4")
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output == "\(world.folder / "loose.ext4")\n")
    #expect(
      try runTool("e2fsck", ["-fn", "loose.ext4"], folder: world.folder.path.string).status == 0)
    #expect(try world.versions == [])
    try world.expectNoDebris()
    let disk = try world.build("--output", "copy.ext4")
    #expect(try sha256(disk) == sha256(world.folder / "copy.ext4"))
    #expect(try sha256(disk) == sha256(world.folder / "loose.ext4"))
  }

  @Test("insists on its lock with --locked")
  func locked() throws {
    let world = try World()
    let missing = try world.run("build", "--locked")
    #expect(missing.status == 65)
    #expect(
      missing.errors == "tiny.lock:1:1: error: there is no lock, and --locked was given; "
        + "run 'build-snapshot lock' and commit the lock\n")
    #expect(try world.run("lock").output == "tiny.lock\n")
    try world.folder.write("tiny.toml", world.recipe().replacing("hello\\n", with: "bye\\n"))
    let stale = try world.run("build", "--locked")
    #expect(stale.status == 65)
    #expect(
      stale.errors == "tiny.lock:1:1: error: the lock answers an older recipe, and --locked was "
        + "given; run 'build-snapshot lock' and commit the lock\n")
    try world.expectNoDebris()
    try world.build()
  }

  @Test("asks nobody with --offline")
  func offline() throws {
    let world = try World()
    let result = try world.run("build", "--offline")
    #expect(result.status == 69)
    #expect(
      result.errors.hasSuffix(
        "build-snapshot: not in the store and --offline was given: 'jammy InRelease'\n"),
      "\(result.errors)")
    #expect(world.server.requests.isEmpty)
    try world.expectNoDebris()
    try world.build()
  }

  @Test("names all faults of a recipe at once")
  func faultyRecipe() throws {
    let world = try World()
    try world.folder.write(
      "tiny.toml",
      """
      schema = 1
      colour = "red"
      [image]
      name = "Tiny!"
      size = "12 parsecs"
      label = "a label of more than sixteen bytes"
      [base]
      distribution = "slackware"
      suite = 22
      mirror = "gopher://nowhere"
      keyring = "nowhere.gpg"
      [packages]
      install = ["hello world"]
      [[agent]]
      name = "server"
      sorce = "agent"
      into = "opt"
      """)
    for command in ["build", "lock", "plan"] {
      let result = try world.run(command)
      #expect(result.status == 65)
      let lines = result.errors.split(separator: "\n")
      #expect(lines.count >= 10, "\(result.errors)")
      #expect(lines.allSatisfy { $0.hasPrefix("tiny.toml:") && $0.contains(": error: ") })
    }
    #expect(!FileManager.default.fileExists(atPath: world.store.string))
  }
}

private let hasJSONSchema =
  (try? runTool("python3", ["-c", "import jsonschema"]).status) == 0

func sha256(_ file: FilePath) throws -> String {
  String(try runTool("sha256sum", [file.string]).succeeded().output.prefix(64))
}
