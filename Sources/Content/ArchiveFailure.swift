/// Why an archive could not be read.
public enum ArchiveFailure: Error, Sendable, Equatable, CustomStringConvertible {
  case cannotOpen(archive: String, reason: String)
  /// The archive is damaged, cut off, or of a kind that is not read here.
  case unreadable(archive: String, member: String?, reason: String)
  /// Reading on would lose something that the archive says: a warning of the library, an ACL for a
  /// user who has a name but no number, an entry of a type that no Linux tree has.
  case lossy(archive: String, member: String, reason: String)

  public var description: String {
    switch self {
    case .cannotOpen(let archive, let reason):
      "cannot open archive '\(archive)': \(reason)"
    case .unreadable(let archive, nil, let reason):
      "cannot read archive '\(archive)': \(reason)"
    case .unreadable(let archive, let member?, let reason):
      "cannot read '\(member)' in archive '\(archive)': \(reason)"
    case .lossy(let archive, let member, let reason):
      "cannot keep all of '\(member)' in archive '\(archive)': \(reason)"
    }
  }
}
