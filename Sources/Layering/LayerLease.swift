internal import Content
internal import SystemPackage
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// Keeps a layer from being removed while it is used: a shared lock on its record, gone with the process.
final class LayerLease: Sendable {
  private let file: Mutex<CInt>

  /// - Parameter isExclusive: to be the only one, as who removes it must be.
  /// - Returns: nil when the layer is not there, or when others have it in a way that does not allow this.
  init?(_ record: FilePath, isExclusive: Bool = false) {
    let file = open(record.string, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard file >= 0 else { return nil }
    var ours = stat()
    var there = stat()
    // Who removes it holds the lock while it moves away: then our file is no longer the one there.
    guard flock(file, (isExclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0, fstat(file, &ours) == 0,
      lstat(record.string, &there) == 0, ours.st_ino == there.st_ino, ours.st_dev == there.st_dev
    else {
      close(file)
      return nil
    }
    self.file = Mutex(file)
  }

  /// Lets others have the layer; a second call does nothing.
  func release() {
    file.withLock { file in
      if file >= 0 { close(file) }
      file = -1
    }
  }

  deinit { release() }
}
