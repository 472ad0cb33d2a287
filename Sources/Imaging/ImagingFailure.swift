/// Why a tree could not be read or an image could not be written.
public enum ImagingFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// A file of the tree's source could not be examined or read.
  case cannotRead(path: String, operation: String, reason: String)
  /// A file of the tree's source is not what it was when the tree was made.
  case changed(path: String)
  /// A member of a tar that would not stay inside the tree or has no place in it.
  case refused(archive: String, member: String, reason: String)
  /// Something that ext4 cannot hold.
  case unrepresentable(path: String, reason: String)
  case outOfSpace(needed: Int64, available: Int64, size: Int64, largest: [FolderSize])
  case outOfInodes(needed: Int, available: Int, largest: [FolderSize])
  case unusableOption(String)
  case cannotWrite(path: String, operation: String, reason: String)

  /// A folder and all below it.
  public struct FolderSize: Sendable, Equatable {
    public var path: String
    /// Bytes on the disk, or files and folders, as the error counts.
    public var amount: Int64
  }

  public var description: String {
    switch self {
    case .cannotRead(let path, let operation, let reason):
      "cannot \(operation) '\(path)': \(reason)"
    case .changed(let path):
      "'\(path)' changed while the image was being written"
    case .refused(let archive, let member, let reason):
      "cannot take '\(member)' from archive '\(archive)': \(reason)"
    case .unrepresentable(let path, let reason):
      "cannot keep '\(path)' in the image: \(reason)"
    case .outOfSpace(let needed, let available, let size, let largest):
      """
      the tree does not fit: it needs \(mebibytes(needed)), and an image of \(mebibytes(size)) has \
      room for \(mebibytes(available)); make the image larger or the tree smaller. The largest \
      folders:
      """ + list(largest.map { ($0.path, mebibytes($0.amount)) })
    case .outOfInodes(let needed, let available, let largest):
      """
      the tree does not fit: it needs \(needed) inodes, and the image has \(available); give the \
      image more inodes. The folders with most files:
      """ + list(largest.map { ($0.path, "\($0.amount)") })
    case .unusableOption(let reason): reason
    case .cannotWrite(let path, let operation, let reason):
      "cannot \(operation) image '\(path)': \(reason)"
    }
  }
}

/// Rounded up to a tenth, so that what is needed never reads as what there is.
private func mebibytes(_ bytes: Int64) -> String {
  let tenths = (bytes * 10 + (1 << 20) - 1) >> 20
  return "\(tenths / 10).\(tenths % 10) MiB"
}

private func list(_ rows: [(path: String, amount: String)]) -> String {
  let width = rows.map(\.amount.count).max() ?? 0
  return rows.map { row in
    let padding = String(repeating: " ", count: width - row.amount.count)
    return "\n  \(padding)\(row.amount)  \(row.path)"
  }.joined()
}
