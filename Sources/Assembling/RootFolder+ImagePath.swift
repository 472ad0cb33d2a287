internal import Isolation
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

extension ImagePath {
  /// The path as `RootFolder` takes it.
  var filePath: FilePath { FilePath(platformString: cPath) }
}

extension RootFolder {
  /// Opens a folder for calls such as `openat`; with `making`, what is missing is made, mode 0755.
  ///
  /// The caller closes the descriptor.
  func openFolder(_ path: ImagePath, making: Bool = false) throws(RootFailure) -> CInt {
    do {
      return try open(path.filePath, options: .folder).rawValue
    } catch {
      guard making, error.code == ENOENT, !path.isRoot else { throw error }
    }
    let parent = try openFolder(path.parent, making: true)
    defer { Glibc.close(parent) }
    guard mkdirat(parent, path.cName, 0o755) == 0 || errno == EEXIST
    else { throw RootFailure("make folder", path.filePath, errno) }
    return try openFolder(path)
  }
}

extension FileDescriptor.OpenOptions {
  fileprivate static let folder: Self = [.directory, .closeOnExec]
}

/// Writes all bytes to a descriptor; false with `errno` set when that fails.
func writeAll(_ bytes: UnsafeRawBufferPointer, to file: CInt) -> Bool {
  var rest = bytes
  while !rest.isEmpty {
    let count = Glibc.write(file, rest.baseAddress, rest.count)
    if count < 0 {
      if errno == EINTR { continue }
      return false
    }
    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
  }
  return true
}
