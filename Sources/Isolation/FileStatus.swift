internal import CSandbox
internal import Glibc
public import SystemPackage

/// What the file system says about a file.
public struct FileStatus: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    case file, folder, link, fifo, socket, characterDevice, blockDevice
  }

  public var kind: Kind
  /// Permission bits with set-id and sticky bits.
  public var mode: UInt16
  public var uid: UInt32
  public var gid: UInt32
  /// In bytes.
  public var size: Int
  /// Last change of the content: seconds since 1970, and nanoseconds.
  public var seconds: Int
  public var nanoseconds: Int

  init(_ facts: stat) {
    kind =
      switch facts.st_mode & S_IFMT {
      case S_IFDIR: .folder
      case S_IFLNK: .link
      case S_IFIFO: .fifo
      case S_IFSOCK: .socket
      case S_IFCHR: .characterDevice
      case S_IFBLK: .blockDevice
      default: .file
      }
    mode = UInt16(facts.st_mode & 0o7777)
    uid = facts.st_uid
    gid = facts.st_gid
    size = Int(facts.st_size)
    seconds = facts.st_mtim.tv_sec
    nanoseconds = facts.st_mtim.tv_nsec
  }

  /// The status of a file of the host; links are followed.
  public init(of path: FilePath) throws(RootFailure) {
    var facts = stat()
    guard stat(path.string, &facts) == 0 else { throw RootFailure("look at", path, errno) }
    self.init(facts)
  }
}
