import Foundation
import Model
import Publishing
import Support
import SystemPackage
import Synchronization
import Testing

/// Builders, collectors and people at one catalog at once, each a process of the real program.
///
/// Every worker does its operations in a random order of its own; how they meet is left to the machine.
@Suite(
  "A catalog that many work on",
  .enabled(
    if: canBuild && isLong,
    "needs root, BUILD_SNAPSHOT_LONG_TESTS=1 and gpg, dpkg-deb, unshare, e2fsck"),
  .serialized)
struct CatalogCrowdTests {
  @Test("loses nothing that is current, pinned or leased, and never goes back")
  func random() throws {
    let crowd = try Crowd(builders: 2)
    var workers: [@Sendable () throws -> Void] = []
    for number in 0..<2 {
      workers.append {
        defer { crowd.endBuilder() }
        for round in 0..<8 { try crowd.publish(number, round) }
      }
    }
    for number in 0..<3 {
      workers.append {
        var random = SplitMix64(seed: UInt64(number))
        while crowd.isBuilding { try crowd.collect(keep: Int.random(in: 1...3, using: &random)) }
      }
    }
    for (seed, work) in [crowd.pinOrUnpin, crowd.rollBackOrRelease, crowd.lease].enumerated() {
      workers.append {
        var random = SplitMix64(seed: 10 + UInt64(seed))
        while crowd.isBuilding { try work(&random) }
      }
    }
    workers.append { while crowd.isBuilding { try crowd.follow() } }

    // All of them wait for processes, so each needs a thread.
    let group = DispatchGroup()
    for work in workers {
      group.enter()
      Thread.detachNewThread {
        defer { group.leave() }
        do { try work() } catch { crowd.broke("\(error)") }
      }
    }
    group.wait()
    print("catalog crowd: \(crowd.story)")
    #expect(crowd.broken == [])
    try crowd.expectSound()
  }
}

/// A signed image in a store, what is known of it, and the operations on it.
private final class Crowd: Sendable {
  private struct Knowledge {
    var builders: Int
    var counts: [String: Int] = [:]
    var pinned: Set<String> = []
    var leases: [Lease] = []
    var generation = 0
    var broken: [String] = []
  }

  private let folder: TemporaryFolder
  private let store: FilePath
  private let program: Program
  private let server: LoopbackServer
  private let recipes: [String]
  private let key: PublicKey
  private let knowledge: Mutex<Knowledge>

  init(builders: Int) throws {
    knowledge = Mutex(Knowledge(builders: builders))
    let world = try World()
    (folder, store, program, server) = (world.folder, world.store, world.program, world.server)
    let recipe = world.recipe().replacing("128MiB", with: "64MiB")
    recipes = (0..<builders).map { "builder-\($0).toml" }
    for (number, name) in recipes.enumerated() {
      try folder.write(
        name, recipe.replacing("source = \"agent\"", with: "source = \"agent-\(number)\""))
      try folder.write("agent-\(number)/serve", "first \(number)")
    }
    _ = try program.run("keygen", "key").succeeded()
    key = try PublicKey(
      text: try String(contentsOfFile: "\(folder / "key").pub", encoding: .utf8))
    for number in 0..<builders { try publish(number, -1) }
  }

  var isBuilding: Bool { knowledge.withLock { $0.builders > 0 } }

  func endBuilder() { knowledge.withLock { $0.builders -= 1 } }

  var broken: [String] { knowledge.withLock { $0.broken } }

  var story: String {
    knowledge.withLock { knowledge in
      knowledge.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        .joined(separator: ", ") + "; generation \(knowledge.generation)"
    }
  }

  func publish(_ builder: Int, _ round: Int) throws {
    try folder.write("agent-\(builder)/serve", "builder \(builder), round \(round)")
    while true {
      let result = try run(
        "build", recipes[builder], "--timeout", "5", "--key", (folder / "key").string)
      if result.status == 75 { continue }
      count("publications")
      if result.status != 0 { broke("build: \(result.errors)") }
      return
    }
  }

  func collect(keep: Int) throws {
    let result = try run("gc", "--keep", "\(keep)", "--quiet")
    count("collections")
    if result.status != 0 { broke("gc: \(result.errors)") }
    count("versions removed", result.output.matches(of: /tiny@/).count)
  }

  /// What is pinned is there until it is unpinned; only this worker pins.
  @Sendable func pinOrUnpin(_ random: inout SplitMix64) throws {
    let pinned = knowledge.withLock { $0.pinned }
    for version in pinned where !isThere(version) { broke("pinned \(version) is gone") }
    if let version = pinned.randomElement(using: &random),
      pinned.count > 2 || Bool.random(using: &random)
    {
      knowledge.withLock { _ = $0.pinned.remove(version) }
      let result = try run("unpin", "tiny@\(version)")
      if result.status != 0 { broke("unpin: \(result.errors)") }
      return count("unpinned")
    }
    guard let version = try versions().randomElement(using: &random) else { return }
    let result = try run("pin", "tiny@\(version)")
    switch result.status {
    case 0:
      knowledge.withLock { _ = $0.pinned.insert(version) }
      count("pinned")
    case 1 where result.errors.contains("no release"): count("pins that came too late")
    default: broke("pin: \(result.errors)")
    }
  }

  @Sendable func rollBackOrRelease(_ random: inout SplitMix64) throws {
    if Bool.random(using: &random) {
      let result = try run("rollback", "tiny", "--key", (folder / "key").string, "--reason", "test")
      switch result.status {
      case 0: count("rollbacks")
      case 1 where result.errors.contains("good"): count("rollbacks that had nothing to go to")
      default: broke("rollback: \(result.errors)")
      }
    } else {
      let marks = try Catalog(store: store).quarantined(World.image)
      guard let version = marks.randomElement(using: &random)?.version else { return }
      let result = try run("release", "tiny@\(version)")
      if result.status != 0 { broke("release: \(result.errors)") }
      count("released from quarantine")
    }
  }

  /// Takes a lease of what is current, or of any version, and ends one that it holds.
  @Sendable func lease(_ random: inout SplitMix64) throws {
    let catalog = Catalog(store: store)
    for lease in knowledge.withLock({ $0.leases }) where !isThere("\(lease.release.version)") {
      broke("leased \(lease.release.version) is gone")
    }
    do {
      let lease = try catalog.lease(World.image)
      count("leases of the current version")
      if !isThere("\(lease.release.version)") {
        broke("just leased \(lease.release.version) is gone")
      }
      let ended = knowledge.withLock { knowledge -> Lease? in
        knowledge.leases.append(lease)
        return knowledge.leases.count < 3
          ? nil : knowledge.leases.remove(at: Int.random(in: 0..<3, using: &random))
      }
      withExtendedLifetime(ended) {}
    } catch { broke("lease: \(error)") }
  }

  /// Follows as a client does that remembers the highest generation.
  func follow() throws {
    let seen = knowledge.withLock { $0.generation }
    do {
      let (pointer, _) = try Catalog(store: store).trusted(
        World.image, Trust(keys: [key], seen: seen), at: Timestamp(seconds: Int(time(nil))))
      knowledge.withLock { $0.generation = pointer.generation }
      count("looks")
    } catch { broke("a client: \(error)") }
  }

  func expectSound() throws {
    try publish(0, 99)
    try follow()
    let found = try program.run("doctor", "--deep", "--store", store.string)
    #expect(found.status == 0, "\(found.output)")
    for version in knowledge.withLock({ $0.pinned }) { #expect(isThere(version)) }
    #expect(broken == [])
  }

  private func run(_ words: String...) throws -> ToolResult {
    try program.run(words + ["--store", store.string])
  }

  private func versions() throws -> [String] {
    try FileManager.default.contentsOfDirectory(
      atPath: store.pushing("images/tiny").string
    ).filter { $0.first?.isNumber == true }.sorted()
  }

  private func isThere(_ version: String) -> Bool {
    FileManager.default.fileExists(
      atPath: store.pushing(FilePath("images/tiny/\(version)/rootfs.ext4")).string)
  }

  private func count(_ what: String, _ number: Int = 1) {
    knowledge.withLock { $0.counts[what, default: 0] += number }
  }

  func broke(_ what: String) { knowledge.withLock { $0.broken.append(what) } }
}
