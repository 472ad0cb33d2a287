internal import Glibc
internal import Synchronization
internal import SystemPackage

/// Notices by inode and times that a file was replaced, came or went.
final class Stamp: Sendable {
  private struct Facts: Equatable {
    var inode: UInt
    var changed: Int
    var nanoseconds: Int
  }
  private let path: FilePath
  private let last: Mutex<Facts?>

  init(_ path: FilePath) {
    self.path = path
    last = Mutex(Self.facts(of: path))
  }

  /// Whether the file is another than when last asked.
  func hasChanged() -> Bool {
    let now = Self.facts(of: path)
    return last.withLock { last in
      defer { last = now }
      return last != now
    }
  }

  private static func facts(of path: FilePath) -> Facts? {
    var status = stat()
    guard lstat(path.string, &status) == 0 else { return nil }
    return Facts(
      inode: UInt(status.st_ino), changed: Int(status.st_ctim.tv_sec),
      nanoseconds: Int(status.st_ctim.tv_nsec))
  }
}
