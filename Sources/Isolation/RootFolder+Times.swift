internal import CSandbox
internal import Glibc
internal import SystemPackage

extension RootFolder {
  /// Sets every time of the last change after `epoch` to it, in the whole tree with its top.
  ///
  /// - Returns: how many files and folders were newer.
  public func clampTimes(to epoch: Int) throws(RootFailure) -> Int {
    let top = try open("", options: .directory)
    return try clamp(top.rawValue, path: "/", epoch: epoch)
  }

  /// Clamps what is in an open folder, then the folder; closes it.
  private func clamp(_ folder: Int32, path: FilePath, epoch: Int) throws(RootFailure) -> Int {
    guard let stream = fdopendir(folder) else {
      let code = errno
      Glibc.close(folder)
      throw RootFailure("read", path, code)
    }
    defer { closedir(stream) }
    var count = 0
    let time = timespec(tv_sec: epoch, tv_nsec: 0)
    errno = 0
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
      }
      guard name != [46, 0], name != [46, 46, 0] else { continue }
      var facts = stat()
      guard fstatat(folder, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 else {
        throw RootFailure("look at", path.pushing(FilePath(platformString: name)), errno)
      }
      if facts.st_mode & S_IFMT == S_IFDIR {
        let inner = path.pushing(FilePath(platformString: name))
        let number = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard number >= 0 else { throw RootFailure("open", inner, errno) }
        count += try clamp(number, path: inner, epoch: epoch)
      } else if isLater(facts, epoch) {
        guard utimensat(folder, name, [time, time], AT_SYMLINK_NOFOLLOW) == 0 else {
          throw RootFailure(
            "set the time of", path.pushing(FilePath(platformString: name)), errno)
        }
        count += 1
      }
      errno = 0
    }
    guard errno == 0 else { throw RootFailure("read", path, errno) }
    var facts = stat()
    guard fstat(folder, &facts) == 0 else { throw RootFailure("look at", path, errno) }
    if isLater(facts, epoch) {
      guard futimens(folder, [time, time]) == 0 else {
        throw RootFailure("set the time of", path, errno)
      }
      count += 1
    }
    return count
  }
}

private func isLater(_ facts: stat, _ epoch: Int) -> Bool {
  (facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec) > (epoch, 0)
}
