internal import CSandbox
internal import Glibc
public import SystemPackage

/// Who owns a file, by the image's numbers.
public struct Owner: Sendable, Equatable {
  public var uid: UInt32
  public var gid: UInt32

  public init(uid: UInt32, gid: UInt32) {
    self.uid = uid
    self.gid = gid
  }

  public static let root = Owner(uid: 0, gid: 0)
}

extension RootFolder {
  /// Makes a folder and those above it that are missing, all with `mode` and `owner`; links to
  /// folders on the way are followed.
  ///
  /// - Returns: the paths that were made, from the top.
  @discardableResult
  public func makeFolders(
    _ path: FilePath, mode: UInt16 = 0o755, owner: Owner = .root
  ) throws(RootFailure) -> [FilePath] {
    var made: [FilePath] = []
    var current: FilePath = "/"
    for component in path.components {
      guard component.kind == .regular else { throw RootFailure("make folder", path, EINVAL) }
      current.append(component)
      if let status = try status(of: current, followsLinks: true) {
        guard status.kind == .folder else { throw RootFailure("make folder", current, ENOTDIR) }
        continue
      }
      try makeFolder(current, mode: mode, owner: owner)
      made.append(current)
    }
    return made
  }

  /// Makes one folder that is not there yet.
  public func makeFolder(
    _ path: FilePath, mode: UInt16 = 0o755, owner: Owner = .root
  ) throws(RootFailure) {
    try withParent(of: path) { folder, name throws(RootFailure) in
      let code = name.withPlatformString { mkdirat(folder, $0, 0o700) }
      guard code == 0 else { throw RootFailure("make folder", path, errno) }
    }
    try setOwner(of: path, owner)
    try setMode(of: path, mode)
  }

  /// Writes a file under its name at once, instead of what was there; a folder there is an error.
  ///
  /// A symbolic link at `path` is replaced, not followed. Folders above must exist.
  public func write(
    _ bytes: [UInt8], to path: FilePath, mode: UInt16 = 0o644, owner: Owner = .root
  ) throws(RootFailure) {
    try write(to: path, mode: mode, owner: owner) { file in
      try bytes.withUnsafeBytes { _ = try file.writeAll($0) }
    }
  }

  /// Writes a file whose content `fill` writes.
  public func write(
    to path: FilePath, mode: UInt16, owner: Owner, filledBy fill: (FileDescriptor) throws -> Void
  ) throws(RootFailure) {
    try withParent(of: path) { folder, name throws(RootFailure) in
      // Nothing else writes into the tree meanwhile; what a crash left is overwritten.
      let temporary = ".build-snapshot.new"
      unlinkat(folder, temporary, 0)
      let number = openat(folder, temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
      guard number >= 0 else { throw RootFailure("create", path, errno) }
      do {
        defer { Glibc.close(number) }
        try fill(FileDescriptor(rawValue: number))
        // The owner first: a change of owner takes set-id bits away.
        guard fchown(number, owner.uid, owner.gid) == 0, fchmod(number, mode_t(mode)) == 0
        else { throw Errno(rawValue: errno) }
        let code = name.withPlatformString { renameat(folder, temporary, folder, $0) }
        guard code == 0 else { throw Errno(rawValue: errno) }
      } catch {
        unlinkat(folder, temporary, 0)
        throw RootFailure("write", path, (error as? Errno)?.rawValue ?? EIO)
      }
    }
  }

  /// Makes a symbolic link, instead of a file or link that was there; a folder there is an error.
  public func makeLink(
    _ path: FilePath, to target: FilePath, owner: Owner = .root
  ) throws(RootFailure) {
    if let status = try status(of: path), status.kind != .folder {
      try removeFileOrEmptyFolder(path)
    }
    try withParent(of: path) { folder, name throws(RootFailure) in
      let code = name.withPlatformString { name in
        target.withPlatformString { symlinkat($0, folder, name) }
      }
      guard code == 0 else { throw RootFailure("make link", path, errno) }
    }
    try setOwner(of: path, owner)
  }

  /// Gives a file that exists a second name; a symbolic link is not followed.
  public func makeHardLink(_ path: FilePath, to existing: FilePath) throws(RootFailure) {
    if let status = try status(of: path), status.kind != .folder {
      try removeFileOrEmptyFolder(path)
    }
    try withParent(of: existing) { source, oldName throws(RootFailure) in
      try withParent(of: path) { folder, name throws(RootFailure) in
        let code = oldName.withPlatformString { oldName in
          name.withPlatformString { linkat(source, oldName, folder, $0, 0) }
        }
        guard code == 0 else { throw RootFailure("make hard link", path, errno) }
      }
    }
  }

  /// Sets the owner of a file; of a symbolic link, the link's own.
  public func setOwner(of path: FilePath, _ owner: Owner) throws(RootFailure) {
    try withParent(of: path) { folder, name throws(RootFailure) in
      let code = name.withPlatformString {
        fchownat(folder, $0, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW)
      }
      guard code == 0 else { throw RootFailure("set the owner of", path, errno) }
    }
  }

  /// Sets permission bits; the path is no symbolic link.
  public func setMode(of path: FilePath, _ mode: UInt16) throws(RootFailure) {
    guard try status(of: path)?.kind != .link else {
      throw RootFailure("set the mode of", path, ELOOP)
    }
    try withParent(of: path) { folder, name throws(RootFailure) in
      let code = name.withPlatformString { fchmodat(folder, $0, mode_t(mode), 0) }
      guard code == 0 else { throw RootFailure("set the mode of", path, errno) }
    }
  }

  /// Sets the time of the last change to whole seconds since 1970.
  public func setTime(of path: FilePath, _ seconds: Int) throws(RootFailure) {
    let time = timespec(tv_sec: seconds, tv_nsec: 0)
    try withParent(of: path) { folder, name throws(RootFailure) in
      let code = name.withPlatformString {
        utimensat(folder, $0, [time, time], AT_SYMLINK_NOFOLLOW)
      }
      guard code == 0 else { throw RootFailure("set the time of", path, errno) }
    }
  }

  /// Removes a file, a link or an empty folder.
  public func removeFileOrEmptyFolder(_ path: FilePath) throws(RootFailure) {
    let isFolder = try status(of: path)?.kind == .folder
    try withParent(of: path) { folder, name throws(RootFailure) in
      let code = name.withPlatformString { unlinkat(folder, $0, isFolder ? AT_REMOVEDIR : 0) }
      guard code == 0 else { throw RootFailure("remove", path, errno) }
    }
  }

  /// Removes whatever is at a path, with all that is in it; nothing there is no error.
  public func remove(_ path: FilePath) throws(RootFailure) {
    guard path.lastComponent?.kind == .regular else { throw RootFailure("remove", path, EINVAL) }
    guard let status = try status(of: path) else { return }
    if status.kind == .folder {
      for name in try names(in: path) { try remove(path.appending(name)) }
    }
    try removeFileOrEmptyFolder(path)
  }
}
