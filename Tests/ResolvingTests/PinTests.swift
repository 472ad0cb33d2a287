import Content
import Model
import Resolving
import Support
import Testing

@Suite("Pins of an old lock", .enabled(if: canMakeRepositories, "needs gpg and dpkg-deb"))
struct PinTests {
  /// A day later.
  private let later = 1_767_225_600 + 86400

  /// `app` needs `libapp`; `other` stands alone; then newer versions of all appear.
  private func worldAndLock() async throws -> (World, Lock) {
    let world = try World()
    try world.repository.add(AptPackage("app", depends: "libapp"))
    try world.repository.add(AptPackage("libapp"))
    try world.repository.add(AptPackage("other"))
    try world.repository.publish()
    let lock = try await world.lock(world.recipe("app", "other"))
    for name in ["app", "libapp", "other"] { world.repository.remove(name) }
    try world.repository.add(AptPackage("app", "2", depends: "libapp (>= 2)"))
    try world.repository.add(AptPackage("libapp", "2"))
    try world.repository.add(AptPackage("other", "2"))
    try world.repository.add(AptPackage("fresh"))
    try world.repository.publish(date: later)
    return (world, lock)
  }

  @Test("stay, without a look at any source, while the recipe is the same")
  func sameRecipe() async throws {
    let (world, lock) = try await worldAndLock()
    let asked = world.transport.names.count
    #expect(try await world.lock(world.recipe("app", "other"), old: lock) == lock)
    #expect(world.transport.names.count == asked)
  }

  @Test("stay when the recipe changes; what is new comes from the same state of the mirror")
  func changedRecipe() async throws {
    let (world, lock) = try await worldAndLock()
    let changed = try await world.lock(world.recipe("libapp"), old: lock)
    #expect(changed.summary == ["apt 1", "base-files 1", "libapp 1", "libbase 1"])
    #expect(changed.repositories == lock.repositories)
    let failure = try await world.failure(world.recipe("app", "fresh"), old: lock)
    #expect(
      failure?.description
        == "test.toml:12:3: error: there is no package 'fresh' in 'jammy', 'jammy-updates', "
        + "'jammy-security'")
  }

  @Test("stay when the store has lost the old indices: the mirror still has them by hash")
  func lostIndices() async throws {
    let (world, lock) = try await worldAndLock()
    for blob in lock.repositories.flatMap(\.indices) {
      try BlobStore(store: world.store).remove(blob.sha256)
    }
    #expect(try await world.lock(world.recipe("libapp"), old: lock).summary[2] == "libapp 1")
  }

  @Test("all move with an update of all")
  func updateAll() async throws {
    let (world, lock) = try await worldAndLock()
    let updated = try await world.lock(world.recipe("app", "other"), old: lock, update: .all)
    #expect(updated.summary.suffix(3) == ["libapp 2", "libbase 1", "other 2"])
    #expect(updated.epoch == later)
    #expect(updated.repositories.flatMap(\.earlier).isEmpty)
  }

  @Test("move with an update of one package when it forces them, and others stay")
  func updateOne() async throws {
    let (world, lock) = try await worldAndLock()
    let recipe = world.recipe("app", "other")
    let updated = try await world.lock(recipe, old: lock, update: .only(["app"]))
    #expect(
      updated.summary == ["app 2", "apt 1", "base-files 1", "libapp 2", "libbase 1", "other 1"])
    #expect(updated.repositories.flatMap(\.earlier).count == 1)
    // The mixture is still known when the recipe changes.
    let changed = try await world.lock(world.recipe("app", "other", "fresh"), old: updated)
    #expect(changed.summary.contains("other 1"))
    #expect(changed.summary.contains("fresh 1"))
    // Nothing from an earlier state is left once the last one moves.
    let last = try await world.lock(recipe, old: updated, update: .only(["other"]))
    #expect(last.repositories.flatMap(\.earlier).isEmpty)
    #expect(last.summary.last == "other 2")
  }

  @Test("cannot be moved by a name that is not locked")
  func unknownName() async throws {
    let (world, lock) = try await worldAndLock()
    let failure = try await world.failure(
      world.recipe("app", "other"), old: lock, update: .only(["othr"]))
    #expect(
      failure?.description == "nothing named 'othr' is in the lock; did you mean 'other'?")
  }
}
