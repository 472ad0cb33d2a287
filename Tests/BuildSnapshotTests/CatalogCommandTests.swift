import Foundation
import Support
import SystemPackage
import Testing

/// What the commands say of releases that the real program has made.
@Suite(
  "The commands of the catalog",
  .enabled(if: canBuild, "needs root and gpg, dpkg-deb, unshare, e2fsck"))
struct CatalogCommandTests {
  @Test("tell what a release holds, what changed, and which line did it")
  func listShowDiff() throws {
    let world = try World()
    let recipe =
      world.recipe() + "[[file]]\npath = \"/etc/kept\"\ncontent = \"1\"\nmode = \"0644\"\n"
    try world.folder.write("tiny.toml", recipe)
    try world.build()
    let more = recipe.replacing("[\"hello\"]", with: "[\"hello\", \"word\"]")
      .replacing("mode = \"0644\"", with: "mode = \"0600\"\nowner = \"1000:1000\"")
    try world.folder.write("tiny.toml", more)
    try world.folder.write("agent/serve", "#!/bin/sh\necho served better\n")
    try world.build()
    let versions = try world.versions
    func run(_ words: String...) throws -> String {
      try world.program.run(words + ["--store", world.store.string]).succeeded().output
    }
    func line(_ text: String) throws -> Int {
      try #require(
        more.split(separator: "\n", omittingEmptySubsequences: false).firstIndex { $0 == text })
        + 1
    }

    let difference = try run("diff", "tiny@\(versions[0])", "tiny")
    let packages = try line("install = [\"hello\", \"word\"]")
    for expected in [
      "tiny: \(versions[0]) → \(versions[1])", "changed: recipe and lock",
      "  - \(packages): install = [\"hello\"]", "  + \(packages): install = [\"hello\", \"word\"]",
      "  + deb word:amd64 1  (recipe.toml:\(packages))", "agents:", "  ~ server ",
      "  + /usr/share/words/word",
      "  ~ /etc/kept: mode 644 → 600, owner 0:0 → 1000:1000  (recipe.toml:\(try line("path = \"/etc/kept\"")))",
      "  ~ /opt/server/serve: content", "data: ", "to ship: ",
    ] { #expect(difference.contains(expected), "\(expected) is not in\n\(difference)") }
    let json = try #require(
      try JSONSerialization.jsonObject(
        with: Data(try run("diff", "tiny@\(versions[0])", "tiny", "--json").utf8))
        as? [String: Any])
    #expect(json["isLockChanged"] as? Bool == true)
    #expect((json["shipment"] as? [String: Int])?["chunks"] ?? 0 > 0)
    #expect(try run("diff", "tiny", "tiny").contains("the disks are the same bytes"))

    _ = try run("pin", "tiny@\(versions[0])")
    let rows = try run("list").split(separator: "\n").map { $0.split(separator: " ") }
    #expect(rows.map(\.first) == versions.map { "tiny@\($0)" })
    #expect(rows[0].last == "pinned" && rows[1].last == "current")
    let shown = try run("show", "tiny")
    for expected in [
      "image         tiny@\(versions[1])\n", "size          128 MiB, ", "system        ubuntu ",
      "\nagents        server ", "\nbefore        \(versions[0])\n", "\nchecks\n",
    ] { #expect(shown.contains(expected), "\(expected) is not in\n\(shown)") }
    let manifest = try run("show", "tiny", "--json")
    #expect(
      manifest
        == (try String(
          contentsOfFile: "\(world.store)/images/tiny/latest/manifest.json", encoding: .utf8)))

    let none = try world.program.run("show", "nothing", "--store", world.store.string)
    #expect(none.status == 1)
    #expect(none.errors.hasPrefix("build-snapshot: "), "\(none.errors)")
  }

  @Test("put a version aside, and take it out of quarantine when its files are long gone")
  func quarantine() throws {
    let world = try World()
    let store = world.store.string
    try world.build()
    let first = try String(contentsOfFile: "\(world.folder / "agent/serve")", encoding: .utf8)
    try world.folder.write("agent/serve", "#!/bin/sh\necho bad\n")
    try world.build()
    let bad = "tiny@\(try #require(try world.versions.last))"
    _ = try world.program.run("rollback", "tiny", "--reason", "crashes", "--store", store)
      .succeeded()
    try FileManager.default.removeItem(
      atPath: "\(world.store)/images/tiny/\(bad.dropFirst("tiny@".count))")
    let refused = try world.run()
    #expect(refused.status == 1)
    #expect(refused.errors.contains("is in quarantine") && refused.errors.contains("crashes"))
    let never = try world.program.run("release", "tiny@20200101.001", "--store", store)
    #expect(never.status == 1 && never.errors.contains("no release 'tiny@20200101.001'"))
    #expect(try world.program.run("release", bad, "--store", store).output == "\(bad)\n")
    try world.build()
    try world.folder.write("agent/serve", first)
  }

  @Test("find what is wrong, mend it, and then find nothing")
  func doctor() throws {
    let world = try World()
    let disk = try world.build()
    func doctor(_ options: String...) throws -> ToolResult {
      try world.program.run(["doctor", "--store", world.store.string] + options)
    }
    #expect(try doctor().status == 0)
    let latest = world.store.appending("images/tiny/latest").string
    try FileManager.default.removeItem(atPath: latest)
    try FileManager.default.createSymbolicLink(
      atPath: latest, withDestinationPath: "20200101.001")
    try world.folder.write("store/staging/left/rootfs.ext4", "left by a dead build")
    chmod(disk.string, 0o644)
    let found = try doctor()
    #expect(found.status == 1)
    for name in ["latest", "staging/left", "rootfs.ext4"] {
      #expect(found.output.contains(name), "\(found.output)")
    }
    _ = try doctor("--repair")
    let after = try doctor()
    #expect(after.status == 0 && after.output.isEmpty || after.status == 0, "\(after.output)")
    #expect(
      try FileManager.default.destinationOfSymbolicLink(atPath: latest)
        == disk.removingLastComponent().lastComponent?.string)
  }
}
