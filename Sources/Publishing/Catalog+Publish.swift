internal import Content
internal import Glibc
public import Model
internal import SystemPackage

/// How publishing ended.
public enum Publication: Sendable, Equatable {
  case published(Release)
  /// The current release has the same inputs and the same disk: no new version was made.
  case unchanged(Release)

  public var release: Release {
    switch self {
    case .published(let release), .unchanged(let release): release
    }
  }
}

extension Catalog {
  /// Makes what was staged the current release.
  ///
  /// - Parameters:
  ///   - draft: the manifest without version, sequence, lineage and documents, which are filled in;
  ///     `disk` describes the staged image file.
  ///   - now: gives the version its day and the pointer its date.
  ///   - version: asks for a version; it must be above all earlier ones.
  ///   - expires: seconds from `now` until clients stop trusting the pointer.
  /// - Throws: `.unconfirmed` when the release is published all the same; any other failure leaves
  ///   the catalog as it was.
  ///
  /// The rename of `latest.json` decides; all it names is on the disk by then.
  public func publish(
    _ staging: Staging, _ draft: Manifest, at now: Timestamp, version: Version? = nil,
    expires: Int? = nil
  ) throws -> Publication {
    let image = staging.image
    let size = try sizeInBytes(staging.disk)
    guard size == draft.disk.virtualSize else {
      throw CatalogFailure.incomplete(
        staging.disk, reason: "it has \(size) bytes, the manifest says \(draft.disk.virtualSize)")
    }
    try staging.seal()

    let folder = self.folder(of: image)
    try makeFolders(folder.appending("history"))
    let lock = try WriterLock(folder.appending(".lock"))
    return try withExtendedLifetime(lock) {
      try recover(image)
      let pointer = try self.pointer(image)
      let previous = try pointer.map { try self.release(image, $0.version) }
      if let previous, previous.manifest.inputs.buildId == draft.inputs.buildId,
        previous.manifest.disk.sha256 == draft.disk.sha256
      {
        return .unchanged(previous)
      }
      let manifest = try complete(
        draft, of: staging, after: previous, pointer: pointer, at: now, asked: version)
      let release = try self.place(staging, manifest)
      let next = try successor(
        of: pointer, release, reason: .publish, at: now, expires: expires)
      do {
        try commit(next)
      } catch let failure as CatalogFailure {
        if case .unconfirmed = failure { throw failure }
        removeAll(release.folder)  // best effort: the next writer removes what stays
        throw failure
      }
      return .published(release)
    }
  }

  /// The draft with everything that only the catalog knows.
  private func complete(
    _ draft: Manifest, of staging: Staging, after previous: Release?, pointer: Pointer?,
    at now: Timestamp, asked: Version?
  ) throws(CatalogFailure) -> Manifest {
    var manifest = draft
    manifest.image.name = staging.image
    manifest.image.version = try allot(
      staging.image, last: pointer?.lastVersion, at: now, asked: asked)
    manifest.image.sequence = (pointer?.lastSequence ?? 0) + 1
    manifest.documents = staging.documents
    manifest.lineage = Manifest.Lineage(
      previous: previous.map {
        Manifest.Ancestor(
          version: $0.version, manifestSha256: $0.manifestHash,
          diskSha256: $0.manifest.disk.sha256)
      },
      changes: previous.map {
        changes(from: $0.manifest.inputs.packages, to: draft.inputs.packages)
      })
    return manifest
  }

  /// The next version: above all that were ever given out, also where the clock went back.
  private func allot(
    _ image: String, last: Version?, at now: Timestamp, asked: Version?
  ) throws(CatalogFailure) -> Version {
    let highest = max(
      try versionsOnDisk(image).last ?? Version(day: 0, number: 0),
      last ?? Version(day: 0, number: 0))
    if let asked {
      guard asked > highest else { throw .versionTaken(image: image, asked, last: highest) }
      return asked
    }
    let day = max(now.day, highest.day)
    let number = day == highest.day ? highest.number + 1 : 1
    guard number <= Version.lastNumber else { throw .versionsExhausted(image: image, day: day) }
    return Version(day: day, number: number)
  }

  /// Writes the manifest and gives the staged folder its name and place; nothing points to it yet.
  private func place(_ staging: Staging, _ manifest: Manifest) throws -> Release {
    guard let version = manifest.image.version else { preconditionFailure("a version is allotted") }
    let bytes = try json(manifest)
    try writeNew(bytes, to: staging.path.appending(Manifest.fileName))
    try flushFolder(staging.path)
    let folder = self.folder(of: staging.image).appending(version.description)
    try move(staging.path, new: folder)
    staging.published()
    do {
      // Only now: a plain user cannot move a write-protected folder to another parent.
      try call("set the mode of", folder) { chmod(folder.string, 0o555) }
      try flushFolder(store.appending("staging"))
      try flushFolder(folder.removingLastComponent())
    } catch {
      removeAll(folder)  // best effort: the next writer removes what stays
      throw error
    }
    return Release(
      image: staging.image, version: version, folder: folder, manifest: manifest,
      manifestHash: ContentHash(of: bytes))
  }

  /// The pointer that names `release`, one generation on.
  func successor(
    of pointer: Pointer?, _ release: Release, reason: Pointer.Reason, at now: Timestamp,
    expires: Int?
  ) throws(CatalogFailure) -> Pointer {
    let version = release.version
    let manifest = release.manifest
    return Pointer(
      image: release.image,
      generation: max(pointer?.generation ?? 0, try lastGeneration(release.image)) + 1,
      minGeneration: pointer?.minGeneration ?? 1, version: version,
      manifest: Pointer.File(
        path: "\(version)/\(Manifest.fileName)", sha256: release.manifestHash,
        size: try sizeInBytes(release.folder.appending(Manifest.fileName))),
      disk: Pointer.File(
        path: "\(version)/\(manifest.disk.file)", sha256: manifest.disk.sha256,
        size: manifest.disk.virtualSize),
      reason: reason, published: now,
      expires: expires.map { Timestamp(seconds: now.seconds + $0) },
      lastVersion: max(version, pointer?.lastVersion ?? version),
      lastSequence: max(manifest.image.sequence ?? 1, pointer?.lastSequence ?? 1))
  }

  /// Makes a pointer the truth.
  ///
  /// First the pointer goes to `history`, so that its generation is not used again should
  /// `latest.json` be lost; then `latest.json` takes its name; then the link follows.
  func commit(_ pointer: Pointer) throws(CatalogFailure) {
    let folder = self.folder(of: pointer.image)
    let bytes = try encode(pointer)
    try replaceFile(history(pointer.image, pointer.generation), bytes)
    var isCommitted = false
    do {
      try replaceFile(folder.appending("latest.json"), bytes) { isCommitted = true }
      try replaceLink(folder.appending("latest"), target: pointer.version.description)
    } catch .system(let doing, let path, let error) where isCommitted {
      throw .unconfirmed(
        image: pointer.image, pointer.version, doing: doing, path: path, error)
    }
  }

  /// Completes or removes what a writer that died left behind. The caller holds the writer lock.
  func recover(_ image: String) throws(CatalogFailure) {
    let folder = self.folder(of: image)
    for parent in [folder, folder.appending("history")] {
      for name in try names(in: parent) where name.hasPrefix(".tmp-") {
        removeAll(parent.appending(name))
      }
    }
    // Without a pointer nobody can tell a lost release from an unfinished one: leave it to 'doctor'.
    guard let pointer = try self.pointer(image) else { return }
    for version in try versionsOnDisk(image) where version > pointer.lastVersion {
      removeAll(folder.appending(version.description))
    }
    if target(of: folder.appending("latest")) != pointer.version.description {
      try replaceLink(folder.appending("latest"), target: pointer.version.description)
    }
  }

  func history(_ image: String, _ generation: Int) -> FilePath {
    let digits = String(generation)
    return folder(of: image).appending("history").appending(
      String(repeating: "0", count: max(0, 8 - digits.count)) + digits + ".json")
  }

  /// The highest generation that was ever prepared.
  private func lastGeneration(_ image: String) throws(CatalogFailure) -> Int {
    try names(in: folder(of: image).appending("history"))
      .compactMap { Int($0.prefix { $0 != "." }) }.max() ?? 0
  }
}

/// What changed among packages, by type and name.
func changes(from old: [Manifest.Package], to new: [Manifest.Package]) -> Manifest.Changes {
  func table(_ packages: [Manifest.Package]) -> [String: Manifest.Package] {
    Dictionary(
      packages.map { ("\($0.type.rawValue) \($0.name) \($0.arch ?? "")", $0) },
      uniquingKeysWith: { first, _ in first })
  }
  let before = table(old)
  let after = table(new)
  let changed = after.sorted { $0.key < $1.key }.compactMap { key, package in
    before[key].flatMap {
      $0.version == package.version
        ? nil : Manifest.Change(name: package.name, from: $0.version, to: package.version)
    }
  }
  return Manifest.Changes(
    added: after.keys.count { before[$0] == nil }, removed: before.keys.count { after[$0] == nil },
    changed: changed)
}
