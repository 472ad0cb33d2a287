internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Whether there is a file or folder that we may read.
func exists(_ path: FilePath) -> Bool { access(path.string, R_OK) == 0 }

/// A file's text; bytes that are not UTF-8 are replaced.
func text(of path: FilePath) throws(ResolvingFailure) -> String {
  String(decoding: try bytes(of: path), as: UTF8.self)
}

func bytes(of path: FilePath) throws(ResolvingFailure) -> [UInt8] {
  do {
    let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
    return try file.closeAfter {
      let size = Int(try file.seek(offset: 0, from: .end))
      try file.seek(offset: 0, from: .start)
      return try Array(unsafeUninitializedCapacity: size) { buffer, count in
        while count < size {
          let rest = UnsafeMutableRawBufferPointer(
            rebasing: UnsafeMutableRawBufferPointer(buffer)[count...])
          let read = try file.read(into: rest)
          if read == 0 { break }
          count += read
        }
      }
    }
  } catch { throw .io(operation: "read", path: path.string, reason: "\(error)") }
}

/// Writes a file of our scratch folder.
func write(_ bytes: [UInt8], to path: FilePath) throws(ResolvingFailure) {
  do {
    let file = try FileDescriptor.open(
      path, .writeOnly, options: [.create, .truncate, .closeOnExec],
      permissions: [.ownerReadWrite, .groupRead, .otherRead])
    try file.closeAfter { _ = try file.writeAll(bytes) }
  } catch { throw .io(operation: "write", path: path.string, reason: "\(error)") }
}

func write(_ text: String, to path: FilePath) throws(ResolvingFailure) {
  try write(Array(text.utf8), to: path)
}
