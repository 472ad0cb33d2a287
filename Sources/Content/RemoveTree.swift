public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Removes a file, or a folder with all that is in it; links are removed, never followed.
///
/// What is not there is no error. Names may be any bytes.
///
/// - Throws: `Errno` at the first entry that cannot be removed.
public func removeTree(_ path: FilePath) throws(Errno) {
  let parent = path.removingLastComponent()
  guard let name = path.lastComponent else { return }
  let folder = open(parent.isEmpty ? "." : parent.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard folder >= 0 else {
    if errno == ENOENT { return }
    throw Errno(rawValue: errno)
  }
  defer { close(folder) }
  let bytes = Array(name.string.utf8CString)
  try removeEntry(bytes, in: folder)
}

private func removeEntry(_ name: [CChar], in folder: CInt) throws(Errno) {
  if unlinkat(folder, name, 0) == 0 || errno == ENOENT { return }
  // Linux says EISDIR for a folder; POSIX, and some file systems, EPERM.
  guard errno == EISDIR || errno == EPERM else { throw Errno(rawValue: errno) }
  let opened = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
  guard opened >= 0, let stream = fdopendir(opened) else { throw Errno(rawValue: errno) }
  defer { closedir(stream) }
  for child in names(in: stream) { try removeEntry(child, in: opened) }
  guard unlinkat(folder, name, AT_REMOVEDIR) == 0 || errno == ENOENT else {
    throw Errno(rawValue: errno)
  }
}
