import Foundation
import Support
import SystemPackage
import Testing

/// What a build takes from earlier builds, and that nobody can tell from its image.
@Suite(
  "Stages of a build", .enabled(if: canBuild, "needs root and gpg, dpkg-deb, unshare, e2fsck"))
struct StageTests {
  @Test("are built only from the first that changed, and each says why")
  func reasons() throws {
    let world = try World()
    var edits = Edits(in: world, seed: 0)
    try edits.write()
    try world.build()
    try edits.expect(
      "agents: agent server: serve changed", after: { $0.agent += 1 }, built: ["agents"])
    try edits.expect(
      "content: file /etc/greeting changed", after: { $0.greeting += 1 },
      built: ["content", "agents"])
    try edits.expect(
      "tiny: it is new", after: { $0.packages = ["word"] },
      built: ["tiny", "settings", "content", "agents"])
    try edits.expect(
      "tiny: package listener:amd64 added", after: { $0.packages = ["word", "listener"] },
      built: ["tiny", "settings", "content", "agents"])
    try edits.expect(
      "archive tool: archive tool: ", after: { $0.tool += 1 },
      built: ["archive tool", "content", "agents"])
    let again = try world.run("build", "--progress", "plain")
    #expect(again.errors.contains("unchanged: tiny"))
    #expect(!again.errors.contains("stage "))
    try world.expectNoDebris()
  }

  @Test("give a cold build's image after any edits of a recipe", arguments: Edits.seeds)
  func anyEdits(seed: UInt64) throws {
    let world = try World()
    var edits = Edits(in: world, seed: seed)
    edits.packages = ["conf"]
    for number in 1...Edits.count {
      let story = try edits.edit()
      print("seed \(seed), edit \(number) of \(Edits.count): \(story)")
      let warm = try world.run("build", "--no-publish", "--output", "warm.ext4")
      try #require(warm.status == 0, "seed \(seed), edit \(number), \(story): \(warm.errors)")
      let cold = try world.run("build", "--no-publish", "--output", "cold.ext4", "--no-cache")
      try #require(cold.status == 0, "seed \(seed), edit \(number), \(story): \(cold.errors)")
      try expectSame(
        world.folder / "cold.ext4", world.folder / "warm.ext4",
        "seed \(seed), edit \(number), \(story)")
      if isLong, number == Edits.count {
        // Without overlays at all.
        let plain = try world.run("build", "--no-publish", "--output", "plain.ext4", "--keep-root")
        try #require(plain.status == 0, "\(plain.errors)")
        try expectSame(world.folder / "cold.ext4", world.folder / "plain.ext4", "without overlays")
      }
    }
    try world.expectNoDebris()
  }

  enum Damage: CaseIterable { case content, missing, mode, record, foreign }

  @Test("are built again when their layer is damaged", arguments: Damage.allCases)
  func damaged(damage: Damage) throws {
    let world = try World()
    let disk = try world.build()
    let layer = try #require(try world.layers(of: "packages").first)
    let file = layer.pushing(FilePath("tree/usr/share/base-passwd/group.master")).string
    let manager = FileManager.default
    switch damage {
    case .content:
      // With the old size and the old time.
      let time = try manager.attributesOfItem(atPath: file)[.modificationDate] as? Date
      _ = try runTool("sh", ["-c", "printf x | dd of=\"$1\" conv=notrunc", "sh", file]).succeeded()
      try manager.setAttributes([.modificationDate: try #require(time)], ofItemAtPath: file)
    case .missing: try manager.removeItem(atPath: file)
    case .mode: try manager.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
    case .record: try Data("{".utf8).write(to: URL(fileURLWithPath: "\(layer)/layer.json"))
    case .foreign: try Data().write(to: URL(fileURLWithPath: "\(layer)/tree/foreign"))
    }
    let result = try world.run(
      "build", "--no-publish", "--output", "again.ext4", "--progress", "plain")
    #expect(result.status == 0, "\(result.errors)")
    #expect(
      result.errors.contains("stage packages: its layer in the store was damaged"),
      "\(result.errors)")
    #expect(result.errors.contains("stage settings: reused"), "\(result.errors)")
    try expectSame(disk, world.folder / "again.ext4")
    try world.expectNoDebris()
  }

  enum MemoryDamage: CaseIterable { case empty, half, changed, missing, link, folder }

  @Test(
    "give a cold build's image whatever has become of what the last build noted",
    arguments: isLong ? MemoryDamage.allCases : [.changed, .folder])
  func damagedMemory(damage: MemoryDamage) throws {
    let world = try World()
    try world.build()
    let notes = try world.names(in: "layers/history").map { "store/layers/history/\($0)" }
    #expect(notes.map { $0.split(separator: ".").last } == ["chunks", "contents", "json"])
    let manager = FileManager.default
    for note in notes {
      var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: (world.folder / note).string)))
      try manager.removeItem(atPath: (world.folder / note).string)
      switch damage {
      case .empty: try world.folder.write(note, "")
      case .half: try world.folder.write(note, Array(bytes[..<(bytes.count / 2)]))
      case .changed:
        bytes[bytes.count / 2] ^= 1
        try world.folder.write(note, bytes)
      case .missing: break
      case .link:
        try manager.createSymbolicLink(
          atPath: (world.folder / note).string, withDestinationPath: "/nowhere")
      case .folder: try world.folder.write("\(note)/inside", "x")
      }
    }
    try world.folder.write("agent/serve", "#!/bin/sh\necho served otherwise\n")
    let disk = try world.build()
    let cold = try world.run("build", "--no-cache", "--no-publish", "--output", "cold.ext4")
    #expect(cold.status == 0, "\(cold.errors)")
    try expectSame(disk, world.folder / "cold.ext4", "\(damage)")
    try world.expectNoDebris()
  }

  @Test("go when they take too much room, the oldest first, and not those in use")
  func room() throws {
    let world = try World()
    try world.build()
    let count = try world.layers().count
    #expect(count == 4)
    let gone = try world.collect("--cache-size", "0", "--dry-run")
    #expect(gone.cache.first { $0.kind == "layers" }?.removed == count)
    #expect(try world.layers().count == count)
    // A build that waits in its `[[run]]` uses the layers below.
    try world.folder.write("tiny.toml", world.recipe(run: "sleep 1000"))
    let running = try world.program.start(world.arguments())
    try running.wait(for: "customise")
    let part = try world.program.run("gc", "--store", world.store.string, "--cache-size", "0")
    #expect(part.errors.contains("a build runs: of what builds keep, only layers can go now"))
    #expect(try world.layers().count == 2)
    let left = try world.collect("--cache-size", "0", "--dry-run").cache
    #expect(left.allSatisfy { $0.removed == 0 && $0.kept > 0 } && left.count == 3, "\(left)")
    running.send(SIGINT)
    #expect(running.end().status == 130)
    let result = try world.program.run("gc", "--store", world.store.string, "--cache-size", "0")
    #expect(result.status == 0, "\(result.errors)")
    #expect(try world.collect().cache == [])
    try world.folder.write("tiny.toml", world.recipe())
    #expect(try world.run("build", "--cache-size", "0", "--version", "20990101.001").status == 0)
    // Those of the build itself stay until the next one looks.
    try world.expectNoDebris()
  }
}

/// A recipe that changes in steps, by a seeded choice.
private struct Edits {
  static let seeds: [UInt64] = isLong ? [1, 2, 3] : [1]
  /// In the long form each kind of edit comes with each seed.
  static let count = isLong ? Kind.allCases.count : 2

  enum Kind: CaseIterable { case addPackage, removePackage, earlyPackage, tool, agent, file, unit }

  private let world: World
  private var random: SplitMix64
  /// The kinds that are still to come before any comes again.
  private var deck: [Kind] = []
  var packages: [String] = []
  var early: [String] = ["hello"]
  var tool = 1
  var agent = 1
  var greeting = 1
  var hasUnit = false
  private var isToolLocked = false

  init(in world: World, seed: UInt64) {
    self.world = world
    random = SplitMix64(seed: seed)
  }

  /// Writes the recipe and what it names, and moves the tool's pin.
  mutating func write() throws {
    let folder = world.folder
    let mode: UInt16 = 0o755
    try folder.write(
      "tool.tar.gz", tarGzip(["tool/bin/tool": TarFile("#!/bin/sh\necho \(tool)\n", mode: mode)]))
    try folder.write("agent/serve", "#!/bin/sh\necho served \(agent)\n")
    let quoted = { (names: [String]) in names.map { "\"\($0)\"" }.joined(separator: ", ") }
    try folder.write("early.toml", "[packages]\ninstall = [\(quoted(early))]\n")
    var text = world.recipe().replacing(
      "schema = 1", with: "schema = 1\nextends = [\"early.toml\"]"
    )
    .replacing("install = [\"hello\"]", with: "install = [\(quoted(packages))]")
    .replacing("hello\\n", with: "hello \(greeting)\\n")
    text += """

      [[archive]]
      name = "tool"
      source = "tool.tar.gz"
      strip = 1
      into = "/opt/tool"

      """
    if hasUnit {
      text += """

        [[file]]
        path = "/etc/systemd/system/extra.service"
        content = "[Service]\\nExecStart=/bin/true\\n"

        """
    }
    try folder.write("tiny.toml", text)
    if FileManager.default.fileExists(atPath: world.lockFile.string) {
      let result = try world.program.run(
        "lock", "tiny.toml", "--store", world.store.string, "--update", "tool")
      _ = try result.succeeded()
    }
  }

  /// Changes something, and says what.
  mutating func edit() throws -> String {
    if deck.isEmpty { deck = Kind.allCases.shuffled(using: &random) }
    let names = ["listener", "word", "conf"]
    let story: String
    switch deck.removeLast() {
    case .addPackage:
      let others = names.filter { !packages.contains($0) }
      if let name = others.randomElement(using: &random) { packages.append(name) }
      story = "a package added, now \(packages)"
    case .removePackage:
      let name = packages.randomElement(using: &random)
      packages.removeAll { $0 == name }
      story = "a package removed, now \(packages)"
    case .earlyPackage:
      let name = names[Int(random.next() % 3)]
      early = early.contains(name) ? early.filter { $0 != name } : early + [name]
      story = "packages of the layer below, now \(early)"
    case .tool:
      tool += 1
      story = "tool \(tool)"
    case .agent:
      agent += 1
      story = "agent \(agent)"
    case .file:
      greeting += 1
      story = "file \(greeting)"
    case .unit:
      hasUnit.toggle()
      story = hasUnit ? "a unit added" : "a unit removed"
    }
    try write()
    return story
  }

  /// Builds after an edit, and expects one stage's reason and which stages are built.
  mutating func expect(
    _ reason: String, after edit: (inout Edits) -> Void, built: [String],
    at place: SourceLocation = #_sourceLocation
  ) throws {
    edit(&self)
    try write()
    let result = try world.run("build", "--progress", "plain")
    #expect(result.status == 0, "\(result.errors)", sourceLocation: place)
    #expect(result.errors.contains("stage \(reason)"), "\(result.errors)", sourceLocation: place)
    let done = result.errors.split(separator: "\n").compactMap { line -> String? in
      guard line.hasPrefix("stage "), let end = line.firstRange(of: " done in ") else { return nil }
      return String(line[..<end.lowerBound].dropFirst("stage ".count))
    }
    #expect(done == built, "\(result.errors)", sourceLocation: place)
  }
}

extension World {
  /// The folders of the layers in the store, or of those that a stage has made.
  func layers(of stage: String? = nil) throws -> [FilePath] {
    try names(in: "layers").filter { $0.count == 40 }.map {
      store.appending("layers").appending($0)
    }.filter { layer in
      guard let stage else { return true }
      let record = try String(contentsOfFile: "\(layer)/layer.json", encoding: .utf8)
      return record.contains("\"name\":\"\(stage)\"")
    }
  }
}
