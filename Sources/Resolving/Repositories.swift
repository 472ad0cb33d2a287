internal import Content
internal import Model
internal import SystemPackage

/// Reads signed repositories: from their mirrors, or as a lock knows them.
struct RepositoryReader: Sendable {
  var base: Recipe.Base
  var store: BlobStore
  var transport: any Transport
  var scratch: FilePath
  /// Seconds since 1970.
  var now: Int
  var events: EventSink

  /// InRelease files are a few hundred kilobytes.
  private static let sizeLimit = 16 << 20

  /// The newest state of a pocket.
  ///
  /// - Parameter old: what the lock knew; nothing older than that is accepted.
  func refresh(_ candidates: [Pocket], old: Lock.Repository?) async throws -> Lock.Repository {
    var firstFailure: (any Error)?
    for pocket in candidates {
      do {
        let (repository, release) = try await read(pocket, old: old)
        let isOurs = release.origin.lowercased() == base.distribution.rawValue
        if candidates.count > 1, !isOurs { continue }
        return repository
      } catch is CancellationError {
        throw CancellationError()
      } catch { firstFailure = firstFailure ?? error }
    }
    throw firstFailure
      ?? ResolvingFailure.faulty([
        Diagnostic(
          at: base.position,
          "none of the host's apt sources for '\(candidates.first?.id ?? base.suite)' is of "
            + base.distribution.rawValue)
      ])
  }

  /// The uncompressed packages of an index; it is fetched when the store does not have it.
  func load(_ blob: Lock.Blob, of candidates: [Pocket]) async throws -> PackageIndex {
    let name = "index \(blob.path)"
    if !store.contains(blob.sha256) {
      try await transport.fetch([
        Download(
          name: name, hash: blob.sha256, size: blob.size,
          urls: candidates.flatMap { $0.urls(of: blob.path) })
      ])
    }
    store.touch(blob.sha256)
    let file = store.path(of: blob.sha256)
    let bytes = try bytes(of: file)
    guard bytes.count == blob.size else {
      throw ResolvingFailure.untrusted(
        file: blob.path, .wrongSize(expected: blob.size, actual: bytes.count))
    }
    let hash = ContentHash(of: bytes)
    guard hash == blob.sha256 else {
      throw ResolvingFailure.untrusted(
        file: blob.path, .wrongHash(expected: blob.sha256, actual: hash))
    }
    return PackageIndex(try await unpacked(file, bytes))
  }

  private func read(
    _ pocket: Pocket, old: Lock.Repository?
  ) async throws -> (Lock.Repository, Release) {
    let path = "dists/\(pocket.id)/InRelease"
    let bytes = try await transport.bytes(
      named: "\(pocket.id) InRelease", from: pocket.urls(of: path), limit: Self.sizeLimit)
    let file = scratch.appending("InRelease")
    try write(bytes, to: file)
    let signed = try await verify(file, named: path, keyring: pocket.keyring, scratch: scratch)
    let release = try Release(parsing: signed.text, file: path)
    try check(release, of: pocket, file: path)
    try SeenReleases(store: store.store).accept(
      release.date, of: pocket, file: path, lockedDate: old?.date)
    return (
      Lock.Repository(
        id: pocket.id, date: release.date, validUntil: release.validUntil,
        inRelease: try store.add(bytes), signedBy: signed.signers, priority: release.priority,
        indices: try indices(of: release, in: pocket)), release
    )
  }

  private func check(
    _ release: Release, of pocket: Pocket, file: String
  ) throws(ResolvingFailure) {
    // Ubuntu's pockets all bear the Codename of the suite, so only Suite tells them apart; Debian's
    // Suite is a role such as 'stable' that moves on, and its Codename the name.
    let names = base.distribution == .ubuntu ? [release.suite] : [release.codename, release.suite]
    guard names.contains(pocket.id) else {
      throw .untrusted(file: file, .wrongSuite(asked: pocket.id, found: names[0]))
    }
    if let until = release.validUntil, until < now {
      guard pocket.checksExpiry else {
        events(
          .note(
            "'\(file)' was valid until \(format(utc: until)); apt's configuration accepts that"))
        return
      }
      throw .untrusted(file: file, .expired(validUntil: until))
    }
  }

  /// The Packages indices of the recipe's components.
  private func indices(
    of release: Release, in pocket: Pocket
  ) throws(ResolvingFailure) -> [Lock.Blob] {
    var blobs: [Lock.Blob] = []
    var faults: [Diagnostic] = []
    for component in pocket.components {
      for architecture in [base.architecture] + (release.hasIndexForAll ? ["all"] : []) {
        let folder = "\(component)/binary-\(architecture)"
        let listed = [".xz", ".zst", ".gz", ""].lazy
          .compactMap { suffix in release.files["\(folder)/Packages\(suffix)"].map { (suffix, $0) }
          }
        if let (suffix, entry) = listed.first {
          let name =
            release.offersByHash ? "by-hash/SHA256/\(entry.sha256)" : "Packages\(suffix)"
          blobs.append(
            Lock.Blob(
              path: "dists/\(pocket.id)/\(folder)/\(name)", size: entry.size, sha256: entry.sha256))
        } else {
          faults.append(
            Diagnostic(
              at: base.position,
              "'\(pocket.id)' has no component '\(component)' for '\(architecture)'",
              hint: "it has \(release.components.joined(separator: ", ")) for "
                + release.architectures.joined(separator: ", ")))
        }
      }
    }
    guard faults.isEmpty else { throw .faulty(faults) }
    return blobs.sorted { $0.path < $1.path }
  }

  /// The bytes of an index as it came; apt's own helper knows every compression that apt does.
  private func unpacked(_ file: FilePath, _ bytes: [UInt8]) async throws -> [UInt8] {
    guard let suffix = suffix(of: bytes) else { return bytes }
    let packed = scratch.appending("Packages\(suffix)")
    let plain = scratch.appending("Packages")
    try write(bytes, to: packed)
    let result = try await run(
      "/usr/lib/apt/apt-helper", ["cat-file", packed.string], writingTo: plain)
    guard result.isSuccess else { throw result.failure(of: "apt-helper") }
    return try Resolving.bytes(of: plain)
  }

  /// The name's end that goes with the first bytes of a compressed file, nil for plain text.
  private func suffix(of bytes: [UInt8]) -> String? {
    if bytes.starts(with: [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0]) { return ".xz" }
    if bytes.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) { return ".zst" }
    if bytes.starts(with: [0x1F, 0x8B]) { return ".gz" }
    return nil
  }
}
