import Foundation
import Support
import SystemPackage
import Testing

/// The real program, broken off while it keeps something for the next build.
@Suite(
  "Work on what a store keeps",
  .enabled(
    if: canBuild && isLong && hasTool("clang"),
    "needs root, BUILD_SNAPSHOT_LONG_TESTS=1, clang and gpg, dpkg-deb, unshare, e2fsck"),
  .serialized)
struct CacheFaultTests {
  @Test("may fail or be the last while layers and debs are written: the next image is the same")
  func layersAndDebs() throws {
    let keeper = try FaultyKeeper(of: ["layers", "debs"])
    try keeper.breakOff(atMost: 14)
  }

  @Test(
    "may fail or be the last while an agent is compiled: the next image is the same",
    .enabled(if: hasTool("swift"), "compiles"))
  func agent() throws {
    let keeper = try FaultyKeeper(of: ["products"], compilesAgent: true)
    try keeper.breakOff(atMost: 6)
  }

  @Test("is done by two builds that compile one agent at once", .enabled(if: hasTool("swift")))
  func twoCompilers() throws {
    let world = try World()
    try world.addGreeter(to: "tiny.toml", world.recipe())
    try world.addGreeter(to: "other.toml", world.recipe(image: "other"))
    let builds = try ["tiny.toml", "other.toml"].map {
      try world.program.start(["build", $0, "--store", world.store.string])
    }
    for build in builds {
      let result = build.end()
      #expect(result.status == 0, "\(result.errors)")
    }
    let programs = try ["tiny", "other"].map { image in
      let disk = "\(world.store)/images/\(image)/latest/rootfs.ext4"
      return try runTool("debugfs", ["-R", "cat /opt/agents/greeter", disk]).output
    }
    #expect(programs[0] == programs[1] && programs[0].count > 1000)
    let key = try #require(try world.names(in: "products/greeter").first)
    #expect(try world.names(in: "products/greeter").count == 1)
    #expect(try world.names(in: "products/greeter/\(key)") == ["greeter", "sha256"])
  }
}

/// A recipe with its lock, the image that it makes, and builds from an empty cache whose calls fail.
private struct FaultyKeeper {
  let world: World
  let calls: FailingCalls
  let folders: [String]
  let image: FilePath

  init(of folders: [String], compilesAgent: Bool = false) throws {
    let world = try World()
    self.world = world
    self.folders = folders
    if compilesAgent { try world.addGreeter(to: "tiny.toml", world.recipe()) }
    calls = try FailingCalls(
      of: Program.path, on: folders.map { world.store.appending($0) }, changesOnly: true,
      in: world.folder)
    image = try world.build()
  }

  /// Breaks builds off at calls that are spread over all of one; after each the next makes the same image.
  func breakOff(atMost most: Int) throws {
    try forget()
    _ = try build(calls.environment()).succeeded()
    // Starting programs is another matter.
    let points = calls.calls.enumerated().filter { !$0.element.contains(" posix_spawnp ") }
    try #require(points.count >= most)
    let faults = FailingCalls.Fault.allCases
    var story: [String: Int] = [:]
    for number in 0..<most {
      let point = points[(2 * number + 1) * points.count / (2 * most)]
      let fault = faults[number % faults.count]
      let place: Comment = "\(fault.rawValue) at \(point.element)"
      try forget()
      let broken = try build(calls.environment(fault, at: point.offset + 1))
      #expect([0, 1, -SIGKILL, 128 + SIGKILL].contains(broken.status), place)
      story["\(fault.rawValue) \(broken.status == 0 ? "harmless" : "ended it")", default: 0] += 1
      let next = try build()
      #expect(next.status == 0, "\(place): \(next.errors)")
      try expectSame(image, world.folder / "made.ext4", place.rawValue)
    }
    print(
      "\(folders.joined(separator: ", ")): \(points.count) calls; "
        + story.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", "))
    for name in ["work", "staging", "tmp"] { #expect(try world.names(in: name) == [], "\(name)") }
    #expect(try world.collect("--cache-size", "0").cache.allSatisfy { $0.kept == 0 })
    #expect(try world.collect().cache == [])
  }

  private func forget() throws {
    for name in folders {
      // There is none where the last build was broken off before it was made.
      try? FileManager.default.removeItem(atPath: world.store.appending(name).string)
    }
  }

  private func build(_ environment: [String: String] = [:]) throws -> ToolResult {
    var program = world.program
    program.environment = environment
    return try program.run(
      world.arguments(
        "build", ["--locked", "--offline", "--no-publish", "--output", "made.ext4"]))
  }
}

extension World {
  /// A package with a program, and a recipe that has it as an agent.
  fileprivate func addGreeter(to recipe: String, _ text: String) throws {
    try folder.write(
      "Package.swift",
      """
      // swift-tools-version: 6.0
      import PackageDescription
      let package = Package(
        name: "agents",
        products: [.executable(name: "greeter", targets: ["Greeter"])],
        targets: [.executableTarget(name: "Greeter")])
      """)
    try folder.write("Sources/Greeter/main.swift", "print(\"hello\")\n")
    try folder.write(
      recipe,
      text + """
        [[agent]]
        name = "greeter"
        source = "product:greeter"
        into = "/opt/agents/"

        """)
  }
}
