public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Copies a file with its holes; `target` appears, or is replaced, only when all of it is on the disk.
///
/// Where the file system can share blocks between files, nothing is copied at all.
///
/// - Throws: `Errno`, or `CancellationError`; no partial file stays behind.
public func copySparse(_ source: FilePath, to target: FilePath) throws {
  let input = try FileDescriptor.open(source, .readOnly, options: .closeOnExec)
  defer { try? input.close() }  // read only: nothing is lost
  let temporary = FilePath("\(target).\(getpid()).part")
  let output = try FileDescriptor.open(
    temporary, .writeOnly, options: [.create, .truncate, .closeOnExec],
    permissions: [.ownerReadWrite, .groupRead, .otherRead])
  do {
    try output.closeAfter {
      if ioctl(output.rawValue, cloneRequest, input.rawValue) != 0 {
        try copyData(from: input, to: output)
      }
      try synchronise(output)
    }
    guard rename(temporary.string, target.string) == 0 else { throw Errno(rawValue: errno) }
  } catch {
    unlink(temporary.string)
    throw error
  }
  try synchroniseFolder(target.removingLastComponent())
}

/// `FICLONE` of linux/fs.h: `_IOW(0x94, 9, int)`.
private let cloneRequest: UInt = 0x4004_9409

private func copyData(from input: FileDescriptor, to output: FileDescriptor) throws {
  let end = try input.seek(offset: 0, from: .end)
  try output.resize(to: end)
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4 << 20, alignment: 4096)
  defer { buffer.deallocate() }
  var offset: Int64 = 0
  while offset < end {
    let start = Int64(lseek(input.rawValue, off_t(offset), seekData))
    if start < 0 {
      guard errno == ENXIO else { throw Errno(rawValue: errno) }
      return  // only a hole is left
    }
    let stop = Int64(lseek(input.rawValue, off_t(start), seekHole))
    guard stop > start else { throw Errno(rawValue: errno) }
    offset = start
    while offset < stop {
      try Task.checkCancellation()
      let piece = UnsafeMutableRawBufferPointer(
        rebasing: buffer[..<min(buffer.count, Int(stop - offset))])
      let count = try input.read(fromAbsoluteOffset: offset, into: piece)
      guard count > 0 else { throw Errno.ioError }
      try output.writeAll(
        toAbsoluteOffset: offset, UnsafeRawBufferPointer(rebasing: piece[..<count]))
      offset += Int64(count)
    }
  }
}

/// `SEEK_DATA` and `SEEK_HOLE` of lseek(2), which the C library declares only under `_GNU_SOURCE`.
private let (seekData, seekHole): (CInt, CInt) = (3, 4)
