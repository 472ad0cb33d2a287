internal import Content
public import Model
internal import SystemPackage

extension Resolver {
  /// Where each input of a lock can be had, in the lock's order: packages, archives, wheels, npm's tarballs.
  ///
  /// Of wheels and tarballs that the store has, no address is asked for: their list is empty.
  ///
  /// - Throws: `ResolvingFailure.faulty` when the recipe no longer names a source that the lock needs.
  public func downloads(of lock: Lock, for recipe: Recipe) async throws -> [Download] {
    try await withScratch { folder in
      var downloads = try await packageDownloads(of: lock, for: recipe, in: folder)
      for archive in lock.archives {
        guard let source = recipe.archives.first(where: { $0.name == archive.name }) else {
          throw stale(recipe, "archive", archive.name)
        }
        downloads.append(
          Download("archive \(archive.name)", archive.file, from: source.urls))
      }
      for wheel in lock.wheels {
        let source = try recipe.wheels.first { try WheelRequirement($0).name == wheel.name }
        guard let source else { throw stale(recipe, "wheel", wheel.name) }
        let urls =
          store.contains(wheel.file.sha256)
          ? [] : [try await address(of: wheel, for: source, recipe.base, in: folder)]
        downloads.append(Download("wheel \(wheel.name) \(wheel.version)", wheel.file, from: urls))
      }
      return try await downloads + npmDownloads(of: lock, for: recipe, in: folder)
    }
  }

  private func packageDownloads(
    of lock: Lock, for recipe: Recipe, in folder: FilePath
  ) async throws -> [Download] {
    let packages = lock.packages + lock.boot
    guard !packages.isEmpty else { return [] }
    let pockets = try await candidates(for: recipe.base, host: host, scratch: folder)
    return try packages.map { package in
      guard let candidates = pockets.first(where: { $0.first?.id == package.repository }) else {
        throw stale(recipe, "repository", package.repository)
      }
      return Download(
        "package \(package.name) \(package.version)", package.deb,
        from: candidates.flatMap { $0.urls(of: package.deb.path) })
    }
  }

  func stale(_ recipe: Recipe, _ kind: String, _ name: String) -> ResolvingFailure {
    .faulty([
      Diagnostic(
        at: recipe.base.position, "the lock needs the \(kind) '\(name)', the recipe has none",
        hint: "run 'build-snapshot lock'")
    ])
  }
}

extension Download {
  init(_ name: String, _ blob: Lock.Blob, from urls: [String]) {
    self.init(name: name, hash: blob.sha256, size: blob.size, urls: urls)
  }
}
