internal import Content
internal import Model

extension Resolver {
  /// The most bytes of an archive or wheel whose size nobody knows yet.
  static let unknownSizeLimit = 4 << 30

  /// Locks every archive: as the old lock has it, or with what its address gives now.
  func lockArchives(_ recipe: Recipe, old: [Lock.Archive]) async throws -> [Lock.Archive] {
    var locked: [Lock.Archive] = []
    for archive in recipe.archives {
      let path = placeWithoutHost(archive.urls.first ?? archive.name)
      let known = old.first { $0.name == archive.name }
      if let known, known.file.path == path,
        archive.sha256 == nil || archive.sha256 == known.file.sha256
      {
        locked.append(known)
        continue
      }
      let file = try await learn(
        "archive \(archive.name)", path: path, sha256: archive.sha256, urls: archive.urls)
      if archive.sha256 == nil {
        events(
          .note(
            "archive '\(archive.name)' has no sha256 in the recipe; "
              + "locked as it came: \(file.sha256)"))
      }
      let isBrowser = recipe.chromium != nil && archive.name == Recipe.Chromium.archive
      locked.append(
        Lock.Archive(
          name: archive.name, file: file,
          depends: isBrowser ? try dependencies(ofArchive: file.sha256, for: recipe) : []))
    }
    return locked.sorted { $0.name < $1.name }
  }

  /// Size and hash of a file; what the store does not have comes in.
  func learn(
    _ name: String, path: String, sha256: ContentHash?, urls: [String]
  ) async throws -> Lock.Blob {
    if let sha256, let size = store.size(of: sha256) {
      return Lock.Blob(path: path, size: size, sha256: sha256)
    }
    let bytes = try await transport.bytes(
      named: name, from: urls, limit: Self.unknownSizeLimit)
    let hash = ContentHash(of: bytes)
    if let sha256, sha256 != hash {
      throw ResolvingFailure.untrusted(file: path, .wrongHash(expected: sha256, actual: hash))
    }
    try store.add(bytes)
    return Lock.Blob(path: path, size: bytes.count, sha256: hash)
  }
}

/// The path of an address: no host stands in a lock, and of a file on this machine only its name.
func placeWithoutHost(_ url: String) -> String {
  guard let scheme = url.firstRange(of: "://") else {
    return url.split(separator: "/").last.map(String.init) ?? url
  }
  let rest = url[scheme.upperBound...].prefix { $0 != "?" && $0 != "#" }
  let parts = rest.split(separator: "/").map { percentDecoded($0) }
  let path = url.hasPrefix("file:") ? parts.suffix(1) : parts.dropFirst()
  return path.filter { $0 != ".." && $0 != "." }.joined(separator: "/")
}
