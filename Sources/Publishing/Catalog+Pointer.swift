internal import Glibc
public import Model
internal import SystemPackage

extension Catalog {
  /// Runs `body` as the only writer of an image, after what a dead writer left has been cleared.
  func change<Result>(_ image: String, _ body: () throws -> Result) throws -> Result {
    try check(image)
    let folder = self.folder(of: image)
    try makeFolders(folder.appending("history"))
    let lock = try WriterLock(folder.appending(".lock"))
    defer { withExtendedLifetime(lock) {} }
    try recover(image)
    return try body()
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
  func commit(_ pointer: Pointer) throws {
    let folder = self.folder(of: pointer.image)
    let signers = try signers(pointer.image)
    if key == nil, !signers.isEmpty {
      throw CatalogFailure.needsKey(image: pointer.image, keys: signers)
    }
    var bytes = try json(pointer)
    if let key { bytes = try json(try Envelope(bytes, type: Pointer.mediaType, key: key)) }
    try replaceFile(history(pointer.image, pointer.generation), bytes)
    try swapFile(folder.appending("latest.json"), bytes)
    do {
      try flushFolder(folder)
      try moveLinks(pointer.image)
    } catch CatalogFailure.system(let doing, let path, let error) {
      throw CatalogFailure.unconfirmed(
        image: pointer.image, pointer.version, doing: doing, path: path, error)
    }
  }

  /// The identities of the keys that signed the current pointer; none when it is unsigned.
  func signers(_ image: String) throws(CatalogFailure) -> [String] {
    let path = folder(of: image).appending("latest.json")
    guard let bytes = try read(path) else { return [] }
    do {
      return try decodeEnvelope(bytes, from: path)?.signatures.map(\.keyid) ?? []
    } catch { return [] }  // what does not read is signed by nobody
  }

  /// Gives the current release a new pointer where the old one ages or another key signs by now.
  ///
  /// - Parameter expires: seconds from `now` until clients stop trusting the pointer; nil: never.
  /// - Returns: whether there is a new one. It comes once a quarter of the old one's time is gone.
  @discardableResult
  public func renew(_ image: String, at now: Timestamp, expires: Int?) throws -> Bool {
    try change(image) {
      guard let pointer = try self.pointer(image) else { return false }
      let signers = try signers(image)
      let isOurs = key.map { signers == ["\($0.identity)"] } ?? true
      let isFresh =
        switch (pointer.expires, expires) {
        case (nil, nil): true
        case (let end?, let time?): end.seconds - now.seconds >= time - time / 4
        default: false
        }
      if isOurs, isFresh { return false }
      try commit(
        try successor(
          of: pointer, try release(image, pointer.version), reason: .renewal, at: now,
          expires: expires))
      return true
    }
  }

  /// Completes or removes what a writer that died left behind. The caller holds the writer lock.
  func recover(_ image: String) throws(CatalogFailure) {
    let folder = self.folder(of: image)
    for parent in temporaryPlaces(image) {
      for name in try names(in: parent) where name.hasPrefix(".tmp-") {
        removeAll(parent.appending(name))
      }
    }
    // Without a pointer nobody can tell a lost release from an unfinished one: leave it to 'doctor'.
    guard let pointer = try self.pointer(image) else { return }
    for version in try versionsOnDisk(image) where version > pointer.lastVersion {
      removeAll(folder.appending(version.description))
    }
    try moveLinks(image)
  }

  /// The folders in which a writer that dies may leave a temporary file.
  func temporaryPlaces(_ image: String) -> [FilePath] {
    let folder = self.folder(of: image)
    return [folder] + ["history", "pins", "quarantine"].map { folder.appending($0) }
  }

  /// Every pointer that was ever prepared, oldest first; what does not read is left out.
  func pointers(_ image: String) throws(CatalogFailure) -> [Pointer] {
    let folder = self.folder(of: image).appending("history")
    var pointers: [Pointer] = []
    for name in try names(in: folder) where !name.hasPrefix(".") {
      let path = folder.appending(name)
      guard let bytes = try read(path) else { continue }
      do { pointers.append(try decodePointer(bytes, from: path)) } catch { continue }
    }
    return pointers
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
