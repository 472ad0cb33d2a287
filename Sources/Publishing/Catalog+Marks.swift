internal import Glibc
public import Model
internal import SystemPackage

extension Catalog {
  /// Keeps a release whatever retention says.
  public func pin(
    _ image: String, _ version: Version, reason: String, at now: Timestamp
  ) throws {
    try change(image) { try mark(image, version, in: "pins", reason, now) }
  }

  /// Leaves a release to retention again; one that was not pinned stays as it is.
  public func unpin(_ image: String, _ version: Version) throws {
    try change(image) { try unmark(image, version, in: "pins") }
  }

  /// Puts a release aside: nothing rolls back to it, and no build with the same disk is published.
  ///
  /// - Throws: `.isCurrent` for the current release: roll back first.
  public func quarantine(
    _ image: String, _ version: Version, reason: String, at now: Timestamp
  ) throws {
    try change(image) {
      guard try pointer(image)?.version != version else {
        throw CatalogFailure.isCurrent(image: image, version)
      }
      try mark(image, version, in: "quarantine", reason, now)
    }
  }

  /// Takes a release out of quarantine, also one that is gone already.
  public func liftQuarantine(_ image: String, _ version: Version) throws {
    try change(image) { try unmark(image, version, in: "quarantine") }
  }

  /// The pinned releases, oldest first.
  public func pins(_ image: String) throws(CatalogFailure) -> [Mark] {
    try marks(image, in: "pins")
  }

  /// The releases in quarantine, oldest first, those included whose files are gone.
  public func quarantined(_ image: String) throws(CatalogFailure) -> [Mark] {
    try marks(image, in: "quarantine")
  }

  /// Points back to an older release and puts the one that was current into quarantine.
  ///
  /// - Parameters:
  ///   - target: nil takes the newest good release before the current one. A newer release can be
  ///     named too.
  ///   - reason: why the current release is put aside.
  ///   - expires: seconds from `now` until clients stop trusting the pointer.
  /// - Returns: the release that is current now.
  @discardableResult
  public func rollback(
    _ image: String, to target: Version? = nil, reason: String, at now: Timestamp,
    expires: Int? = nil
  ) throws -> Release {
    try change(image) { try point(image, to: target, reason, now, expires) }
  }

  /// Puts a release that proved bad into quarantine, whether it is current or not, and moves the pointer
  /// away from it where we may: its rebuild is refused in any case.
  ///
  /// - Parameter proven: where to, as it is known to boot; else to the newest good release before.
  /// - Returns: whether the pointer moved. It stays when it names another release, when it is signed and
  ///   there is no key, and when there is no good release to go to.
  public func condemn(
    _ image: String, _ version: Version, inFavourOf proven: Version? = nil, reason: String,
    at now: Timestamp
  ) throws -> Bool {
    try change(image) {
      guard let pointer = try self.pointer(image) else {
        throw CatalogFailure.noImage(image, store: store)
      }
      try mark(image, version, in: "quarantine", reason, now)
      guard pointer.version == version,
        let good = try proven.flatMap({ isWhole(image, $0) ? $0 : nil })
          ?? previousGood(image, before: version),
        try key != nil || signers(image).isEmpty
      else { return false }
      // Clients trust the new pointer as long as they would have trusted the old one when it was new.
      let expires = pointer.expires.map { $0.seconds - pointer.published.seconds }
      try commit(
        try successor(
          of: pointer, try release(image, good), reason: .rollback, at: now, expires: expires))
      return true
    }
  }

  private func point(
    _ image: String, to target: Version?, _ reason: String, _ now: Timestamp, _ expires: Int?
  ) throws -> Release {
    guard let pointer = try self.pointer(image) else {
      throw CatalogFailure.noImage(image, store: store)
    }
    let previous = try previousGood(image, before: pointer.version)
    guard let version = target ?? previous else {
      throw CatalogFailure.nothingToRollBackTo(image: image, from: pointer.version)
    }
    let release = try self.release(image, version)
    if version == pointer.version { return release }
    for mark in try quarantined(image) where mark.version == version {
      throw CatalogFailure.quarantined(
        image: image, version, disk: mark.disk, reason: mark.reason)
    }
    // First the mark: should we die in between, tonight's build cannot bring the release back.
    try mark(image, pointer.version, in: "quarantine", reason, now)
    try commit(
      try successor(of: pointer, release, reason: .rollback, at: now, expires: expires))
    return release
  }

  /// The newest release before `version` that is whole and not in quarantine.
  func previousGood(
    _ image: String, before version: Version
  ) throws(CatalogFailure) -> Version? {
    let bad = Set(try quarantined(image).map(\.version))
    return try versions(image).last {
      $0 < version && !bad.contains($0) && isWhole(image, $0)
    }
  }

  /// Whether a release's manifest reads and its disk has the right size.
  func isWhole(_ image: String, _ version: Version) -> Bool {
    // Any failure to read is a "no".
    guard let release = try? release(image, version) else { return false }
    return (try? sizeInBytes(release.disk)) == release.manifest.disk.virtualSize
  }

  /// - Throws: `.quarantined` when a release with this disk was put aside.
  func refuseQuarantined(_ disk: ContentHash, of image: String) throws(CatalogFailure) {
    if let mark = try quarantined(image).first(where: { $0.disk == disk }) {
      throw .quarantined(image: image, mark.version, disk: disk, reason: mark.reason)
    }
  }

  /// - Throws: `.quarantined` when a release of these inputs was put aside: no need to build it.
  public func refuseQuarantined(
    buildId: ContentHash, of image: String
  ) throws(CatalogFailure) {
    if let mark = try quarantined(image).first(where: { $0.buildId == buildId }) {
      throw .quarantined(image: image, mark.version, disk: mark.disk, reason: mark.reason)
    }
  }

  /// Writes a mark; the caller holds the writer lock.
  func mark(
    _ image: String, _ version: Version, in kind: String, _ reason: String, _ now: Timestamp
  ) throws {
    let release = try release(image, version)
    let folder = folder(of: image).appending(kind)
    try makeFolders(folder)
    try replaceFile(
      folder.appending("\(version).json"),
      try json(
        Mark(
          version: version, disk: release.manifest.disk.sha256,
          buildId: release.manifest.inputs.buildId, reason: reason, since: now)))
  }

  func unmark(_ image: String, _ version: Version, in kind: String) throws {
    let path = folder(of: image).appending(kind).appending("\(version).json")
    guard exists(path) else {
      _ = try release(image, version)  // a version that never was is a mistake
      return
    }
    try call("remove", path) { unlink(path.string) }
    try flushFolder(path.removingLastComponent())
  }

  private func marks(_ image: String, in kind: String) throws(CatalogFailure) -> [Mark] {
    try check(image)
    let folder = folder(of: image).appending(kind)
    var marks: [Mark] = []
    for name in try names(in: folder) where !name.hasPrefix(".") {
      let path = folder.appending(name)
      guard let bytes = try read(path) else { continue }
      marks.append(try decode(Mark.self, bytes, from: path))
    }
    return marks
  }
}
