internal import CLinux
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Makes a folder and those above it, mode 0755 less the umask; one that is there stays as it is.
public func makeFolder(_ path: FilePath) throws(Errno) {
  if mkdir(path.string, 0o755) == 0 || errno == EEXIST { return }
  guard errno == ENOENT, path.lastComponent != nil else { throw Errno(rawValue: errno) }
  try makeFolder(path.removingLastComponent())
  guard mkdir(path.string, 0o755) == 0 || errno == EEXIST else { throw Errno(rawValue: errno) }
}

/// Tells the file system that trees come and go in a folder, so that it keeps them apart.
///
/// ext4 else makes each tree where the last one has just been removed, and there it is slow: 22 s of
/// processor time instead of 0.4 s for 30 000 files. On other file systems this does nothing.
public func spreadFolders(in path: FilePath) { clinux_spread_folders(path.string) }

/// The names in a folder, sorted by their bytes, without `.` and `..`.
public func names(in path: FilePath) throws(Errno) -> [String] {
  guard let stream = opendir(path.string) else { throw Errno(rawValue: errno) }
  defer { closedir(stream) }
  return names(in: stream)
    .map { String(decoding: $0.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self) }
    .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}

/// The names in an open folder, as C strings, without `.` and `..`.
func names(in stream: OpaquePointer) -> [[CChar]] {
  var names: [[CChar]] = []
  while let entry = readdir(stream) {
    let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
      bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
    }
    if name != [46, 0], name != [46, 46, 0] { names.append(name) }
  }
  return names
}
