internal import CLinux
internal import Glibc
internal import SystemPackage

/// The right to change one image's part of the catalog; ends with `release()`, the last reference or
/// the process.
///
/// An OFD lock: it also keeps apart two writers of one process, and closing another descriptor of
/// the file does not drop it.
final class WriterLock: Sendable {
  private let file: Int32

  /// Waits for the writer before us; writers hold the lock for moments only.
  init(_ path: FilePath) throws(CatalogFailure) {
    file = try call("open", path) { open(path.string, O_RDWR | O_CREAT | O_CLOEXEC, 0o644) }
    let file = file
    try call("lock", path) {
      var region = flock()
      region.l_type = Int16(F_WRLCK)
      region.l_whence = Int16(SEEK_SET)
      return fcntl(file, CInt(clinux_ofd_setlkw), &region)
    }
  }

  deinit { close(file) }
}

/// Whether nobody holds the folder or file; the lock is dropped at once.
///
/// - Returns: nil when it cannot be opened.
func isUnused(_ path: FilePath) -> Bool? {
  let file = open(path.string, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
  guard file >= 0 else { return nil }
  defer { close(file) }
  return flock(file, LOCK_EX | LOCK_NB) == 0
}
