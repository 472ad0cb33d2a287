internal import Glibc
public import Model
public import Publishing
internal import Synchronization
public import SystemPackage

/// One image of a catalog, as a controller uses it: which release to boot now, with a lease, and what
/// became of its boots.
///
///     let client = try SnapshotClient(store: store, image: "golden-cli", state: state, keys: [key])
///     let lease = try client.lease(at: now)           // verified; stays as long as the lease
///     try client.clone(lease, to: disk)               // a disk that the machine may write to
///     // start the machine's process with `lease.descriptor` inherited, wait for its agents, then
///     try client.report(.good, of: lease.release.version, at: now)
///
/// All of it may be called from any thread. What it knows is in one file of the caller's, written
/// atomically: a controller that is killed goes on where it was.
public final class SnapshotClient: Sendable {
  public let catalog: Catalog
  public let image: String
  /// Any of these may have signed the pointer; empty trusts an unsigned catalog.
  public let keys: [PublicKey]
  public let policy: BootPolicy
  private let file: FilePath
  private let memory: Mutex<ClientMemory>

  /// - Parameters:
  ///   - state: where what the client knows about the image is kept; its folder must exist.
  ///   - key: lets the client move the pointer of a signed catalog when it rolls back; without it the
  ///     client goes back by itself and only marks the bad release.
  public init(
    store: FilePath, image: String, state: FilePath, keys: [PublicKey],
    policy: BootPolicy = BootPolicy(), key: SigningKey? = nil
  ) throws {
    catalog = Catalog(store: store, key: key)
    self.image = image
    self.keys = keys
    self.policy = policy
    file = state
    memory = Mutex(try ClientMemory(from: state))
  }

  /// The release to boot new machines from: the one that the pointer names, or, where this client found
  /// it bad, the last good one.
  ///
  /// Pointer, manifest and disk are verified; the disk once, some seconds for 8 GiB.
  ///
  /// - Throws: `TrustFailure` when the catalog must not be used, `CatalogFailure` when it cannot.
  public func current(at now: Timestamp) throws -> Release {
    try memory.withLock { memory in
      for (version, reason) in memory.unmarked.sorted(by: { $0.key < $1.key }) {
        // We died, or could not write there. What is left of it does not keep us from booting.
        if let version = Version(version) { _ = try? condemn(version, reason, &memory, at: now) }
      }
      let trust = Trust(keys: keys, seen: memory.generation)
      let (pointer, named) = try catalog.trusted(image, trust, at: now)
      if pointer.generation > memory.generation {
        memory.generation = pointer.generation
        try memory.save(to: file)
      }
      let release = try isBad(named, memory) ? lastGood(before: named.version, memory) : named
      let disk = try DiskIdentity(of: release)
      if memory.verified[release.version.description] != disk {
        try catalog.checkFiles(of: release)
        memory.verified[release.version.description] = disk
        try memory.save(to: file)
      }
      return release
    }
  }

  /// Leases the release to boot from: nothing removes it while any copy of the lease's descriptor is
  /// open, in whichever process.
  public func lease(at now: Timestamp) throws -> Lease {
    while true {
      if let lease = try leaseIfThere(try current(at: now)) { return lease }
    }
  }

  /// Nil when the release was taken away since: there is another one to boot then.
  private func leaseIfThere(_ release: Release) throws -> Lease? {
    do {
      return try catalog.lease(image, release.version)
    } catch {
      guard case .noRelease = error else { throw error }
      return nil
    }
  }

  /// Tells how a boot of a release ended; faults of the host must not be reported.
  ///
  /// - Returns: what followed from it.
  @discardableResult
  public func report(
    _ boot: Boot, of version: Version, at now: Timestamp
  ) throws -> BootVerdict {
    try memory.withLock { memory in
      memory.count(boot, of: version, most: policy.boots)
      defer { memory.forget(allBut: 32) }
      guard case .bad(let reason) = boot, memory.badBoots(of: version) >= policy.badBoots,
        !memory.bad.contains(version.description)
      else {
        try memory.save(to: file)
        return .counted
      }
      let text =
        "\(memory.badBoots(of: version)) of the last \(memory.boots[version.description]?.count ?? 0)"
        + " boots failed: \(reason)"
      memory.bad.append(version.description)
      memory.unmarked[version.description] = text
      // First our own memory: should we die in between, no machine of ours boots from it again.
      try memory.save(to: file)
      return .condemned(
        try condemn(version, text, &memory, at: now) ? .pointerMoved : .markedOnly)
    }
  }

  /// Tells the catalog of a bad release.
  private func condemn(
    _ version: Version, _ reason: String, _ memory: inout ClientMemory, at now: Timestamp
  ) throws -> Bool {
    let proven = try candidates(before: version, memory).first { memory.hasBooted($0.version) }
    var hasMoved = false
    do {
      hasMoved = try catalog.condemn(
        image, version, inFavourOf: proven?.version, reason: reason, at: now)
    } catch CatalogFailure.noRelease {
      // It was removed meanwhile: there is nothing to mark.
    }
    memory.unmarked[version.description] = nil
    try memory.save(to: file)
    return hasMoved
  }

  /// The last boots of a release, oldest first; true is good.
  public func boots(of version: Version) -> [Bool] {
    memory.withLock { $0.boots[version.description] ?? [] }
  }

  private func isBad(_ release: Release, _ memory: ClientMemory) throws -> Bool {
    try memory.bad.contains(release.version.description)
      || catalog.quarantined(image).contains { $0.version == release.version }
  }

  /// The newest release before a bad one that ever booted well here, else the newest that is whole.
  private func lastGood(before bad: Version, _ memory: ClientMemory) throws -> Release {
    let others = try candidates(before: bad, memory)
    guard let release = others.first(where: { memory.hasBooted($0.version) }) ?? others.first else {
      throw CatalogFailure.nothingToRollBackTo(image: image, from: bad)
    }
    if !keys.isEmpty { try catalog.checkSignature(of: release, by: keys) }
    return release
  }

  /// The releases before a bad one that nobody found bad, newest first.
  private func candidates(before bad: Version, _ memory: ClientMemory) throws -> [Release] {
    let marked = Set(try catalog.quarantined(image).map(\.version.description))
    // One that does not read, or is removed as we look, is none.
    return try catalog.versions(image).reversed().filter {
      $0 < bad && !marked.contains($0.description) && !memory.bad.contains($0.description)
    }.compactMap { try? catalog.release(image, $0) }
  }
}

/// When a release counts as bad.
public struct BootPolicy: Sendable, Equatable {
  /// So many bad boots …
  public var badBoots: Int
  /// … among so many of the last ones.
  public var boots: Int

  public init(badBoots: Int = 2, boots: Int = 4) {
    self.badBoots = max(1, badBoots)
    self.boots = max(badBoots, boots)
  }
}

/// How a boot ended.
public enum Boot: Sendable, Equatable {
  case good
  case bad(reason: String)
}

/// What followed from a report.
public enum BootVerdict: Sendable, Equatable {
  public enum Consequence: Sendable, Equatable {
    /// The catalog points to an older release again, for everybody.
    case pointerMoved
    /// The release is in quarantine, but the pointer is signed and we have no key, or the release was
    /// not current any more: this client goes back by itself.
    case markedOnly
  }
  case counted
  case condemned(Consequence)
}
