public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Writes a file so that a reader sees all of it or none of it, also after a crash.
///
/// The bytes go to a hidden file beside `path`, reach the disk, and take the name by rename; then
/// the folder reaches the disk.
///
/// - Throws: `Errno`; no partial file stays behind, whatever is thrown.
public func writeAtomically(
  _ bytes: [UInt8], to path: FilePath,
  mode: FilePermissions = [.ownerReadWrite, .groupRead, .otherRead]
) throws {
  let folder = path.removingLastComponent()
  let name = path.lastComponent?.string ?? "file"
  let temporary = folder.appending(".\(name).\(getpid()).\(UInt64.random(in: 0...UInt64.max)).part")
  let file = try FileDescriptor.open(
    temporary, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: mode)
  do {
    try file.closeAfter {
      try file.writeAll(bytes)
      try synchronise(file)
    }
    guard rename(temporary.string, path.string) == 0 else { throw Errno(rawValue: errno) }
  } catch {
    unlink(temporary.string)
    throw error
  }
  try synchroniseFolder(folder)
}

/// All bytes of a file. Throws `Errno`.
public func contents(of path: FilePath) throws -> [UInt8] {
  let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
  return try file.closeAfter {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = try piece.withUnsafeMutableBytes { try file.read(into: $0) }
      if count == 0 { return bytes }
      bytes += piece[..<count]
    }
  }
}

/// Waits until a file's bytes and attributes are on the disk.
public func synchronise(_ file: FileDescriptor) throws(Errno) {
  guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
}

/// Waits until a folder's entries are on the disk.
public func synchroniseFolder(_ path: FilePath) throws {
  let folder = try FileDescriptor.open(
    path.isEmpty ? "." : path, .readOnly, options: [.directory, .closeOnExec])
  try folder.closeAfter { try synchronise(folder) }
}
