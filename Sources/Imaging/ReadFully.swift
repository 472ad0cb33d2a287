internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Reads until a buffer is full or the file ends, however many calls that takes.
///
/// - Returns: how many bytes were read; fewer than the buffer holds at the file's end only.
func readFully(
  _ descriptor: CInt, at offset: Int64, into buffer: UnsafeMutableRawBufferPointer
) throws(Errno) -> Int {
  var done = 0
  while done < buffer.count {
    let count = pread(
      descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done,
      off_t(offset) + off_t(done))
    if count < 0, errno == EINTR { continue }
    guard count >= 0 else { throw Errno(rawValue: errno) }
    if count == 0 { break }
    done += count
  }
  return done
}
