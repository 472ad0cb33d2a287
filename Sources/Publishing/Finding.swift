public import Model
public import SystemPackage

/// Something in the catalog that is not as it should be.
public struct Finding: Sendable, Equatable, CustomStringConvertible {
  public enum Fault: Sendable, Equatable {
    /// A build that died left it.
    case debris
    /// A version that no pointer ever covered: its build died before the last step.
    case unfinished(Version)
    /// Releases are there, but no `latest.json`.
    case lostPointer
    /// `latest.json` does not read.
    case damagedPointer(String)
    /// The pointer names a release that is missing or not whole.
    case danglingPointer(Version)
    /// The pointer and the manifest that it names do not belong together.
    case otherManifest(Version)
    /// The current release is in quarantine.
    case quarantinedCurrent(Version)
    /// A link does not point to the current release.
    case laggingLink(to: String)
    case damagedManifest(Version, String)
    case missingFile(Version)
    /// A file's size or hash is not the manifest's: it was cut, or written to after publishing.
    case changed(Version, expected: String, actual: String)
    /// A release's file or folder can be written to.
    case writable(Version, mode: Int)
  }

  public var image: String?
  public var path: FilePath
  public var fault: Fault

  /// What `repair` does about it; nil when it is left to a person.
  public var remedy: String? {
    switch fault {
    case .debris, .unfinished: "remove it"
    case .lostPointer, .damagedPointer, .danglingPointer, .otherManifest, .quarantinedCurrent:
      "point to the newest good release"
    case .laggingLink: "point it to the current release"
    case .changed, .missingFile: "put the release into quarantine"
    case .writable: "take the write permission away"
    case .damagedManifest: nil
    }
  }

  public var description: String {
    let text =
      switch fault {
      case .debris: "was left behind by a build that died"
      case .unfinished(let version): "holds \(version), which was never published"
      case .lostPointer: "is missing, though releases are there"
      case .damagedPointer(let reason): "is damaged: \(reason)"
      case .danglingPointer(let version): "names \(version), which is missing or not whole"
      case .otherManifest(let version): "names \(version) with another manifest than it has"
      case .quarantinedCurrent(let version): "names \(version), which is in quarantine"
      case .laggingLink(let target): "does not point to '\(target)'"
      case .damagedManifest(let version, let reason):
        "is damaged: \(reason); remove \(version) or bring the file back"
      case .missingFile(let version): "is missing; \(version) cannot be used"
      case .changed(_, let expected, let actual):
        "was changed after publishing, by a machine that had it writable perhaps: it should be "
          + "\(expected) and is \(actual)"
      case .writable(_, let mode): "can be written to (mode \(String(mode, radix: 8)))"
      }
    return "'\(path)' \(text)"
  }
}
