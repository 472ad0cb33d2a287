internal import Glibc
public import Model
internal import SystemPackage

/// Which releases stay, besides current, previous good, pinned and leased ones.
public struct Retention: Sendable, Equatable, Codable {
  /// So many of the newest releases that are not in quarantine, and all between them.
  public var keep: Int
  /// Seconds that every release stays.
  public var minAge: Int

  public init(keep: Int = 7, minAge: Int = 0) {
    self.keep = keep
    self.minAge = minAge
  }
}

/// What a collection did.
public struct Cleanup: Sendable, Equatable {
  /// Why a release stays.
  public enum Reason: String, Sendable, Codable, CaseIterable {
    case current, previousGood, pinned, recent, young, leased
  }

  public struct Kept: Sendable, Equatable {
    public var version: Version
    public var reason: Reason
  }

  /// Oldest first.
  public var removed: [Version] = []
  /// Oldest first.
  public var kept: [Kept] = []
}

extension Catalog {
  /// What the image's recipe asked for when it was last built, if it asked for anything.
  public func retention(_ image: String) throws(CatalogFailure) -> Retention? {
    let path = folder(of: image).appending("retention.json")
    return try read(path).map { (bytes) throws(CatalogFailure) in
      try decode(Retention.self, bytes, from: path)
    }
  }

  /// Notes what the image's recipe asks for, for collections without a recipe.
  public func retain(_ image: String, _ retention: Retention) throws {
    try change(image) {
      try replaceFile(folder(of: image).appending("retention.json"), try json(retention))
    }
  }

  /// Removes the releases that retention allows; those in use stay.
  ///
  /// - Parameter isDryRun: only says what would go.
  ///
  /// A release leaves in one step (its folder moves to `trash`), then its files go. The lease is tested
  /// by an exclusive lock that is held until the move, so that nobody can take a lease in between.
  public func collect(
    _ image: String, _ retention: Retention, at now: Timestamp, isDryRun: Bool = false
  ) throws -> Cleanup {
    let trash = folder(of: image).appending("trash")
    let collection = try change(image) {
      let plan = try plan(image, retention, at: now)
      if isDryRun { return plan }
      let done = try carryOut(plan, of: image, trash)
      try trimHistory(image)
      return done
    }
    // Without the lock: gigabytes take their time to go.
    if !isDryRun {
      for name in try names(in: trash) { removeAll(trash.appending(name)) }
    }
    return collection
  }

  private func carryOut(
    _ plan: Cleanup, of image: String, _ trash: FilePath
  ) throws(CatalogFailure) -> Cleanup {
    try makeFolders(trash)
    var collection = Cleanup(kept: plan.kept)
    for version in plan.removed {
      if try takeAway(image, version, to: trash) {
        collection.removed.append(version)
      } else {
        collection.kept.append(Cleanup.Kept(version: version, reason: .leased))
      }
    }
    collection.kept.sort { $0.version < $1.version }
    return collection
  }

  private func plan(
    _ image: String, _ retention: Retention, at now: Timestamp
  ) throws -> Cleanup {
    var collection = Cleanup()
    guard let pointer = try pointer(image) else { return collection }
    let pinned = Set(try pins(image).map(\.version))
    let bad = Set(try quarantined(image).map(\.version))
    let previous = try previousGood(image, before: pointer.version)
    let published = try publishingTimes(image)
    let versions = try versions(image)
    let good = versions.filter { !bad.contains($0) }
    let recent = good.suffix(max(1, retention.keep)).first ?? pointer.version
    for version in versions {
      let age = now.seconds - (published[version] ?? midnight(version)).seconds
      let reason: Cleanup.Reason? =
        if version == pointer.version {
          .current
        } else if version == previous {
          .previousGood
        } else if pinned.contains(version) {
          .pinned
        } else if version >= recent {
          .recent
        } else if age < retention.minAge {
          .young
        } else if isUnused(
          folder(of: image).appending("\(version)").appending(Manifest.diskFileName)) == false
        {
          .leased
        } else {
          nil
        }
      if let reason {
        collection.kept.append(Cleanup.Kept(version: version, reason: reason))
      } else {
        collection.removed.append(version)
      }
    }
    return collection
  }

  /// Moves a release out of sight; false when someone has leased it meanwhile.
  private func takeAway(
    _ image: String, _ version: Version, to trash: FilePath
  ) throws(CatalogFailure) -> Bool {
    let folder = folder(of: image).appending(version.description)
    let disk = open(
      folder.appending(Manifest.diskFileName).string, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    defer { if disk >= 0 { close(disk) } }
    // A release whose disk is missing can have no lease.
    if disk >= 0, flock(disk, LOCK_EX | LOCK_NB) != 0 { return false }
    try call("set the mode of", folder) { chmod(folder.string, 0o755) }
    let id = String(UInt64.random(in: 0...UInt64.max), radix: 36)
    try move(folder, new: trash.appending("\(version)-\(id)"))
    try flushFolder(trash)
    try flushFolder(folder.removingLastComponent())
    return true
  }

  /// Forgets old pointers: those stay that first named a version which is still there, and the newest
  /// hundred.
  private func trimHistory(_ image: String) throws(CatalogFailure) {
    let versions = Set(try versionsOnDisk(image))
    let folder = folder(of: image).appending("history")
    let names = try names(in: folder).filter { !$0.hasPrefix(".") }
    var named: Set<Version> = []
    for name in names.dropLast(100) {
      let path = folder.appending(name)
      // One that does not read tells nothing.
      let pointer = try read(path).flatMap { try? decodePointer($0, from: path) }
      if let version = pointer?.version, versions.contains(version),
        named.insert(version).inserted
      {
        continue
      }
      try call("remove", path) { unlink(path.string) }
    }
  }

  /// When each version was first pointed to, as the history has it.
  func publishingTimes(_ image: String) throws(CatalogFailure) -> [Version: Timestamp] {
    Dictionary(
      try pointers(image).map { ($0.version, $0.published) },
      uniquingKeysWith: { first, _ in first })
  }
}

/// The beginning of a version's day, for releases that history does not know.
private func midnight(_ version: Version) -> Timestamp {
  let digits = version.description
  let day =
    digits.prefix(4) + "-" + digits.dropFirst(4).prefix(2) + "-" + digits.dropFirst(6).prefix(2)
  return Timestamp(day + "T00:00:00Z") ?? Timestamp(seconds: 0)
}
