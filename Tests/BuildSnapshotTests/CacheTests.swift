import Foundation
import Model
import Publishing
import Support
import SystemPackage
import Testing

/// What a store keeps between builds, and what `gc` leaves of it and of the releases.
@Suite(
  "What a store keeps", .enabled(if: canBuild, "needs root and gpg, dpkg-deb, unshare, e2fsck"))
struct CacheTests {
  @Test("goes beyond the limit, of every kind and nothing of the catalog, and is made again")
  func everything() throws {
    let world = try World()
    try world.build()
    try world.folder.write("store/debs/aa/.left.1.part", "left by a killed build")
    let before = try world.collect("--cache-size", "0", "--dry-run")
    #expect(Set(before.cache.map(\.kind)) == ["layers", "debs", "blobs"])
    #expect(before.cache.allSatisfy { $0.removed > 0 && $0.freed > 0 && $0.kept == 0 })
    let text = try world.program.run("gc", "--store", world.store.string)
    #expect(text.output.contains("layers    0 removed, 0 B; 4 left, "), "\(text.output)")

    let gone = try world.collect("--cache-size", "0")
    #expect(gone.removed == [] && gone.cache.map(\.kind) == before.cache.map(\.kind))
    let counts = gone.cache.filter { $0.kind != "debs" }.map(\.removed)
    #expect(counts == before.cache.filter { $0.kind != "debs" }.map(\.removed))
    for folder in ["debs/aa", "layers/trash"]
      + (try world.names(in: "blobs/sha256")).map({
        "blobs/sha256/\($0)"
      })
    {
      #expect(try world.names(in: folder) == [], "\(folder)")
    }
    #expect(try world.collect("--cache-size", "0").cache == [])
    let sound = try world.program.run("doctor", "--deep", "--store", world.store.string)
    #expect(sound.status == 0, "\(sound.output)")
    #expect(try world.run().errors.contains("unchanged: tiny"))
    try world.folder.write("agent/serve", "#!/bin/sh\necho served again\n")
    try world.build("--locked")
  }

  @Test("goes in the order of use, and what a build has used stays after it")
  func order() throws {
    let world = try World()
    try world.build()
    let kept = try world.collect()
    #expect(kept.cache.allSatisfy { $0.removed == 0 && $0.kept > 0 })
    // A blob and a layer that nothing has used for a day.
    let old = Date(timeIntervalSinceNow: -86_400)
    let layer = try #require(try world.layers(of: "agents").first)
    let blob = world.store.appending("blobs/sha256/aa/old")
    try world.folder.write("store/blobs/sha256/aa/old", "x")
    for path in [layer.appending("layer.json"), blob] {
      try FileManager.default.setAttributes(
        [.modificationDate: old], ofItemAtPath: path.string)
    }
    try world.folder.write("agent/serve", "#!/bin/sh\necho served better\n")
    try world.build("--cache-size", "0")
    #expect(!FileManager.default.fileExists(atPath: blob.string))
    #expect(!FileManager.default.fileExists(atPath: layer.string))
    #expect(try world.layers().count == 4)
    #expect(try world.collect().cache.contains { $0.kind == "blobs" && $0.kept > 0 })
  }

  @Test(
    "leaves the releases that are current, good before it, pinned, leased, young, or recent",
    .enabled(if: isLong, "set BUILD_SNAPSHOT_LONG_TESTS=1"))
  func releases() throws {
    let world = try World()
    func publish(_ publish: String) throws {
      try world.folder.write("tiny.toml", world.recipe() + publish)
      try world.folder.write(
        "agent/serve", "#!/bin/sh\necho \(UInt64.random(in: 0...UInt64.max))\n")
      try world.build()
    }
    for _ in 0..<5 { try publish("") }
    let versions = try world.versions
    let names = versions.map { "tiny@\($0)" }
    _ = try world.program.run("pin", names[0], "--store", world.store.string).succeeded()
    let catalog = Catalog(store: world.store)
    var lease: Lease? = try catalog.lease(
      World.image, try catalog.versions(World.image)[1])
    #expect(lease != nil)

    #expect(
      try world.collect().kept
        == names.map {
          .init(
            release: $0,
            reason: $0 == names[4]
              ? "current" : $0 == names[3] ? "previousGood" : $0 == names[0] ? "pinned" : "recent")
        })
    #expect(try world.collect("--keep", "1", "--min-age", "1w").removed == [])
    let cleanup = try world.collect("--keep", "1")
    #expect(cleanup.removed == [names[2]])
    #expect(cleanup.kept.map(\.reason) == ["pinned", "leased", "previousGood", "current"])
    lease = nil
    #expect(try world.collect("--keep", "1").removed == [names[1]])

    // What the recipe says holds for whoever collects without saying more.
    try publish("[publish]\nkeep = 1\nmin_age = \"1h\"\n")
    let young = try world.collect().kept
    #expect(young.map(\.reason) == ["pinned", "young", "previousGood", "current"])
    #expect(try world.collect("--min-age", "1s").removed == [names[3]])
    try publish("[publish]\nkeep = 1\n")
    #expect(try world.collect().kept.map(\.reason) == ["pinned", "previousGood", "current"])

    let wrong = try world.program.run("gc", "--min-age", "soon", "--store", world.store.string)
    #expect(wrong.status == 64)
    #expect(wrong.errors.contains("--min-age takes a time such as '14d', not 'soon'"))
  }
}

/// What `gc --json` says.
struct Collected: Decodable {
  struct Kept: Decodable, Equatable {
    var release: String
    var reason: String
  }
  struct Part: Decodable, Equatable {
    var kind: String
    var removed: Int
    var freed: Int
    var kept: Int
    var size: Int
  }
  var removed: [String]
  var kept: [Kept]
  var cache: [Part]
}

extension World {
  func collect(_ options: String...) throws -> Collected {
    let result = try program.run(["gc", "--json", "--store", store.string] + options).succeeded()
    return try JSONDecoder().decode(Collected.self, from: Data(result.output.utf8))
  }
}
