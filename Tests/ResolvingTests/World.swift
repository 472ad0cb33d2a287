import Content
import Foundation
import Model
import Resolving
import Support
import SystemPackage

/// A repository, a store and what resolves between them.
final class World {
  let folder: TemporaryFolder
  let repository: AptRepository
  let transport: PlainTransport
  var store: FilePath { folder / "store" }

  /// A moment after the default date of repositories: 2026-01-02.
  static let now = 1_767_312_000

  /// With three packages for every image: `base-files` and `libbase`, which is essential by its
  /// need, and `apt`.
  init(layout: AptRepository.Layout = .ubuntu) throws {
    folder = try TemporaryFolder()
    repository = try AptRepository(layout: layout)
    transport = try PlainTransport(store: folder / "store")
    try repository.add(AptPackage("base-files", isEssential: true, depends: "libbase"))
    try repository.add(AptPackage("libbase"))
    try repository.add(AptPackage("apt"))
  }

  func resolver(now: Int = World.now, aptFolder: FilePath = "/nonexistent") throws -> Resolver {
    try Resolver(
      scratch: folder / "scratch", store: store, transport: transport, aptFolder: aptFolder,
      now: now)
  }

  var base: Recipe.Base {
    Recipe.Base(
      distribution: repository.layout == .ubuntu ? .ubuntu : .debian, suite: repository.suite,
      pockets: repository.pockets, mirror: .addresses([repository.url]),
      securityMirror: repository.layout == .debian ? [repository.securityURL] : [],
      keyring: repository.keyring.string, position: place)
  }

  func recipe(_ install: String..., exclude: [String] = []) -> Recipe {
    testRecipe(base, install: install, exclude: exclude)
  }

  /// Resolves against what is published now.
  func lock(
    _ recipe: Recipe, old: Lock? = nil, update: Update = .none, now: Int = World.now
  ) async throws -> Lock {
    try await resolver(now: now).resolve(recipe, old: old, update: update)
  }

  /// The failure of a recipe that has no lock.
  func failure(
    _ recipe: Recipe, old: Lock? = nil, update: Update = .none
  ) async throws -> ResolvingFailure? {
    do {
      _ = try await lock(recipe, old: old, update: update)
      return nil
    } catch let failure as ResolvingFailure { return failure }
  }
}

extension Lock {
  /// `name version` of each package.
  var summary: [String] { packages.map { "\($0.name) \($0.version)" } }
}
