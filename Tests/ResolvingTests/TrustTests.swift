import Model
import Resolving
import Support
import Testing

@Suite(
  "A repository that is not to be trusted",
  .enabled(if: canMakeRepositories, "needs gpg and dpkg-deb"))
struct TrustTests {
  @Test("is refused: a Release file that was changed after signing, or has no signature")
  func notSigned() async throws {
    let world = try World()
    var faults = AptRepository.Faults()
    faults.isTampered = true
    try world.repository.publish(faults: ["updates": faults])
    #expect(
      try await world.failure(world.recipe())?.description
        == "'dists/jammy-updates/InRelease' is not to be trusted: its signature does not fit its "
        + "text; it was changed after signing")
    faults = AptRepository.Faults()
    faults.isUnsigned = true
    try world.repository.publish(faults: ["updates": faults])
    #expect(
      try await world.failure(world.recipe())
        == .untrusted(file: "dists/jammy-updates/InRelease", .unsigned))
  }

  @Test("is refused: signed by somebody else")
  func forged() async throws {
    let world = try World()
    var faults = AptRepository.Faults()
    faults.isForged = true
    try world.repository.publish(faults: ["": faults])
    let failure = try await world.failure(world.recipe())
    guard case .untrusted("dists/jammy/InRelease", .unknownSigner(let keys)) = failure else {
      Issue.record("unexpected: \(failure.debugDescription)")
      return
    }
    #expect(keys.count == 1)
  }

  @Test("is refused: past its Valid-Until")
  func expired() async throws {
    let world = try World()
    try world.repository.publish(validUntil: World.now - 1)
    #expect(
      try await world.failure(world.recipe())
        == .untrusted(file: "dists/jammy/InRelease", .expired(validUntil: World.now - 1)))
  }

  @Test("is refused: older than what the lock knows, and than what the store has seen")
  func rolledBack() async throws {
    let world = try World()
    try world.repository.publish(date: 2000)
    let lock = try await world.lock(world.recipe())
    try world.repository.publish(date: 1000)
    let failure = ResolvingFailure.untrusted(
      file: "dists/jammy/InRelease", .rolledBack(date: 1000, seen: 2000))
    #expect(try await world.failure(world.recipe()) == failure)
    let elsewhere = try Resolver(
      scratch: world.folder / "scratch", store: world.folder / "second",
      transport: PlainTransport(store: world.folder / "second"), now: World.now)
    await #expect(throws: failure) {
      try await elsewhere.resolve(world.recipe(), old: lock, update: .all)
    }
  }

  @Test(
    "is refused: another suite under this suite's name", arguments: ["jammy", "jammy-security"])
  func wrongSuite(found: String) async throws {
    let world = try World()
    var faults = AptRepository.Faults()
    faults.suite = found
    try world.repository.publish(faults: ["updates": faults])
    #expect(
      try await world.failure(world.recipe())
        == .untrusted(
          file: "dists/jammy-updates/InRelease", .wrongSuite(asked: "jammy-updates", found: found)))
  }

  @Test("is refused: an index with other bytes, or more of them")
  func wrongIndex() async throws {
    for fault in [\AptRepository.Faults.hasWrongIndexHash, \.hasWrongIndexSize] {
      let world = try World()
      var faults = AptRepository.Faults()
      faults[keyPath: fault] = true
      try world.repository.publish(faults: ["": faults])
      let failure = try await world.failure(world.recipe())
      guard case .untrusted(let file, let distrust) = failure else {
        Issue.record("unexpected: \(failure.debugDescription)")
        continue
      }
      #expect(file.hasPrefix("dists/jammy/main/binary-amd64/by-hash/SHA256/"))
      switch distrust {
      case .wrongHash: #expect(faults.hasWrongIndexHash)
      case .wrongSize(let expected, let actual): #expect(actual == expected + 1)
      default: Issue.record("unexpected: \(distrust)")
      }
    }
  }

  @Test("is said to be out of reach when no address answers")
  func unreachable() async throws {
    let world = try World()
    await #expect(throws: NotThere(name: "jammy InRelease")) {
      try await world.lock(world.recipe())
    }
  }
}
