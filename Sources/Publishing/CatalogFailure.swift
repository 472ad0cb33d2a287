public import Model
public import SystemPackage

/// Why the catalog could not be read or changed.
public enum CatalogFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// A system call failed; nothing was published.
  case system(doing: String, path: FilePath, Errno)
  /// The pointer has moved to the release, but a step after that failed: readers see the release,
  /// a power cut may still take it back. The next use of the catalog completes what is missing.
  case unconfirmed(image: String, Version, doing: String, path: FilePath, Errno)
  /// A file of the catalog does not read as what it should be.
  case damaged(FilePath, reason: String)
  case invalidName(String)
  case noImage(String, store: FilePath)
  case noRelease(image: String, Version, known: [Version])
  /// The version that the caller asked for is not above all that were ever given out.
  case versionTaken(image: String, Version, last: Version)
  /// A day has numbers for so many versions only.
  case versionsExhausted(image: String, day: Int)
  /// The same disk, or the version, was quarantined.
  case quarantined(image: String, Version, disk: ContentHash, reason: String)
  /// The current release cannot be put aside; something must take its place first.
  case isCurrent(image: String, Version)
  /// No older release is there that is whole and not in quarantine.
  case nothingToRollBackTo(image: String, from: Version)
  /// A file that shall be moved into the catalog lies elsewhere.
  case otherFileSystem(FilePath, store: FilePath)
  /// The pointer is signed, and an unsigned one would be refused by every client.
  case needsKey(image: String, keys: [String])
  /// What was staged is not what the manifest says.
  case incomplete(FilePath, reason: String)

  public var description: String {
    switch self {
    case .system(let doing, let path, let error):
      "cannot \(doing) '\(path)': \(error)"
    case .unconfirmed(let image, let version, let doing, let path, let error):
      "'\(image)@\(version)' is published, but it may not survive a power cut or a link to it may "
        + "lag: cannot \(doing) '\(path)': \(error); 'build-snapshot doctor --repair' completes it"
    case .damaged(let path, let reason):
      "'\(path)' is damaged: \(reason); run 'build-snapshot doctor'"
    case .invalidName(let name):
      "'\(name)' is not a name for an image; use lower-case letters, digits, '.', '_' and '-', "
        + "at most 64"
    case .noImage(let name, let store):
      "no release of '\(name)' in '\(store)'; 'build-snapshot list' shows what is there"
    case .noRelease(let image, let version, let known):
      "no release '\(image)@\(version)'"
        + (known.isEmpty
          ? "" : "; there are \(known.map(\.description).joined(separator: ", "))")
    case .versionTaken(let image, let version, let last):
      "version \(version) of '\(image)' cannot be given: it must be above \(last)"
    case .versionsExhausted(let image, let day):
      "'\(image)' has \(Version.lastNumber) versions of day \(day) already"
    case .quarantined(let image, let version, let disk, let reason):
      "this build equals '\(image)@\(version)' (sha256 \(disk)), which is in quarantine: \(reason); "
        + "'build-snapshot release \(image)@\(version)' lifts it"
    case .isCurrent(let image, let version):
      "'\(image)@\(version)' is the current release; 'build-snapshot rollback \(image)' first"
    case .nothingToRollBackTo(let image, let version):
      "'\(image)' has no good release before \(version) to roll back to"
    case .otherFileSystem(let path, let store):
      "'\(path)' cannot be moved into '\(store)': it lies on another file system"
    case .needsKey(let image, let keys):
      "the pointer of '\(image)' is signed (by \(keys.joined(separator: ", "))) and cannot move without "
        + "the key; give it with --key, $\(SigningKey.variableName) or systemd's credential"
    case .incomplete(let path, let reason):
      "'\(path)' cannot be published: \(reason)"
    }
  }
}
