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
  ///   - run: what the attestation says about the build; used when there is a key.
  /// - Throws: `.unconfirmed` when the release is published all the same; any other failure leaves
  ///   the catalog as it was.
  ///
  /// The rename of `latest.json` decides; all it names is on the disk by then.
  public func publish(
    _ staging: Staging, _ draft: Manifest, at now: Timestamp, version: Version? = nil,
    expires: Int? = nil, run: BuildRun? = nil
  ) throws -> Publication {
    let image = staging.image
    let size = try sizeInBytes(staging.disk)
    guard size == draft.disk.virtualSize else {
      throw CatalogFailure.incomplete(
        staging.disk, reason: "it has \(size) bytes, the manifest says \(draft.disk.virtualSize)")
    }
    try staging.seal()

    return try change(image) {
      try refuseQuarantined(draft.disk.sha256, of: image)
      let pointer = try self.pointer(image)
      let previous = try pointer.map { try self.release(image, $0.version) }
      if let previous, previous.manifest.inputs.buildId == draft.inputs.buildId,
        previous.manifest.disk.sha256 == draft.disk.sha256
      {
        return .unchanged(previous)
      }
      let manifest = try complete(
        draft, of: staging, after: previous, pointer: pointer, at: now, asked: version)
      let release = try place(staging, manifest, run, now)
      do {
        try commit(
          try successor(of: pointer, release, reason: .publish, at: now, expires: expires))
      } catch {
        if case CatalogFailure.unconfirmed = error { throw error }
        removeAll(release.folder)  // best effort: the next writer removes what stays
        throw error
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

  /// Completes the staged folder and gives it its name and place; nothing points to it yet.
  private func place(
    _ staging: Staging, _ manifest: Manifest, _ run: BuildRun?, _ now: Timestamp
  ) throws -> Release {
    guard let version = manifest.image.version else { preconditionFailure("a version is allotted") }
    let folder = self.folder(of: staging.image).appending(version.description)
    var release = Release(
      image: staging.image, version: version, folder: folder, manifest: manifest,
      manifestHash: ContentHash(of: []))
    try writeManifest(of: &release, into: staging.path, run, now)
    try flushFolder(staging.path)
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
    return release
  }

  /// Writes the manifest and, with a key, its signature and the attestations.
  private func writeManifest(
    of release: inout Release, into folder: FilePath, _ run: BuildRun?, _ now: Timestamp
  ) throws {
    if let key {
      release.manifest.signing = Manifest.Signing(keyId: "\(key.identity)")
      release.manifest.attestations = Attestations.entries(hasRun: run != nil)
    }
    let bytes = try json(release.manifest)
    release.manifestHash = ContentHash(of: bytes)
    try writeNew(bytes, to: folder.appending(Manifest.fileName))
    guard let key else { return }
    let comment =
      "timestamp:\(now.seconds)\tfile:\(Manifest.fileName)\timage:\(release.image)"
      + "\tversion:\(release.version)"
    try writeNew(
      Array(try key.signature(of: bytes, comment: comment).utf8),
      to: folder.appending("\(Manifest.fileName).minisig"))
    for (name, statement) in try Attestations.statements(about: release, run) {
      let envelope = try Envelope(statement, type: Attestations.mediaType, key: key)
      try writeNew(try json(envelope), to: folder.appending(name))
    }
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
