public import Model
public import SystemPackage

/// Why a blob could not be had, checked or kept.
public enum BlobFailure: Error, Sendable, Equatable, CustomStringConvertible {
  case missing(ContentHash)
  /// The bytes are others than the name says; the store no longer has them.
  case corrupt(expected: ContentHash, actual: ContentHash)
  /// So many bytes came instead of so many.
  case wrongSize(ContentHash, expected: Int, actual: Int)
  /// No room for more, or the quota is used up.
  case diskFull(store: FilePath)
  /// A system call failed: "cannot <operation> '<path>'".
  case failed(operation: String, path: FilePath, reason: Errno)

  public var description: String {
    switch self {
    case .missing(let name): "blob '\(name)' is not in the store"
    case .corrupt(let expected, let actual): "blob '\(expected)' holds other bytes ('\(actual)')"
    case .wrongSize(let name, let expected, let actual):
      "blob '\(name)' has \(actual) bytes instead of \(expected)"
    case .diskFull(let store):
      "the store's disk is full: no room left in '\(store)'; "
        + "free some space or name another store with --store"
    case .failed(let operation, let path, let reason): "cannot \(operation) '\(path)': \(reason)"
    }
  }

  /// Turns an error of a system call on the store's files into ours.
  static func from(
    _ error: any Error, _ operation: String, _ path: FilePath, in store: FilePath
  ) -> BlobFailure {
    if let failure = error as? BlobFailure { return failure }
    let reason = systemReason(error)
    if reason == .noSpace || reason == .diskQuotaExceeded { return .diskFull(store: store) }
    return .failed(operation: operation, path: path, reason: reason)
  }
}
