import Foundation
import Model
import Publishing
import Support
import SystemPackage
import Testing

/// A store with three signed releases, of which a machine uses the first and two stay, and a fixed link to
/// the current one; builds of it whose calls fail.
final class FaultyPublisher {
  let world: World
  let calls: FailingCalls
  private let keys: [PublicKey]
  private let lease: Lease
  private let link: FilePath
  private var builds = 0
  /// The highest generation that was ever seen: none may be below it.
  private(set) var generation = 0

  init() throws {
    let world = try World()
    self.world = world
    link = world.folder / "links/current.ext4"
    let recipe = world.recipe().replacing("128MiB", with: "64MiB")
    try world.folder.write(
      "tiny.toml", recipe + "[publish]\nkeep = 2\nlink = \"\(link)\"\n")
    try world.folder.write("links/.keep", "")
    _ = try world.program.run("keygen", "key")
    keys = [
      try PublicKey(
        text: try String(contentsOfFile: "\(world.folder / "key").pub", encoding: .utf8))
    ]
    calls = try FailingCalls(
      of: Program.path,
      on: ["images", "staging"].map { world.store.appending($0) } + [world.folder / "links"],
      in: world.folder)
    _ = try world.run("lock")
    try world.build("--key", (world.folder / "key").string)
    lease = try Catalog(store: world.store).lease(World.image)
    for _ in 0..<2 { _ = try build() }
    try check()
  }

  /// The calls of a build from the first that works on what is staged or published, in their order.
  func record() throws -> [String] {
    _ = try build(calls.environment()).succeeded()
    try check()
    return calls.calls
  }

  /// Builds something new, with a fault at the call of that number.
  func build(_ fault: FailingCalls.Fault, at number: Int) throws -> ToolResult {
    try build(calls.environment(fault, at: number))
  }

  /// Builds something new.
  func build(_ environment: [String: String] = [:]) throws -> ToolResult {
    builds += 1
    try world.folder.write("agent/serve", "#!/bin/sh\necho build \(builds)\n")
    return try repeatBuild(environment)
  }

  /// Builds what was built last.
  func repeatBuild(_ environment: [String: String] = [:]) throws -> ToolResult {
    var program = world.program
    program.environment = environment
    return try program.run(
      world.arguments(
        "build", ["--key", (world.folder / "key").string, "--locked", "--offline"]))
  }

  /// Looks at the catalog as a client with the public key does.
  ///
  /// - Throws: when the current release is not whole and genuine, its generation is below one that was
  ///   seen before, the leased release has gone, or the fixed link leads nowhere.
  func check() throws {
    let catalog = Catalog(store: world.store)
    let now = Timestamp(seconds: Int(Date().timeIntervalSince1970))
    let (pointer, _) = try catalog.trusted(
      World.image, Trust(keys: keys, seen: generation), at: now, hashesDisk: true)
    generation = pointer.generation
    let leased = try catalog.release(World.image, lease.release.version)
    guard catalog.isLeased(leased) else { throw BrokenPromise(what: "the lease is lost") }
    guard FileManager.default.fileExists(atPath: link.string) else {
      throw BrokenPromise(what: "the fixed link leads nowhere")
    }
  }

  /// Publishes once more without a fault; nothing may be left of what went before.
  func publishNext() throws {
    let before = generation
    _ = try build().succeeded()
    try check()
    guard generation > before else { throw BrokenPromise(what: "nothing was published") }
    let left = try Catalog(store: world.store).examine(isDeep: true)
    guard left.isEmpty else { throw BrokenPromise(what: "\(left)") }
    for name in ["work", "staging", "tmp"] where try !world.names(in: name).isEmpty {
      throw BrokenPromise(what: "something is left in \(name)/")
    }
  }
}

/// What must never be was.
struct BrokenPromise: Error, CustomStringConvertible {
  var what: String
  var description: String { what }
}
