internal import CLinux
internal import Content
public import Model
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// The SHA-256 of an image as a whole; holes count as zeros and are not read.
///
/// - Parameter isCancelled: asked for every few megabytes.
/// - Throws: `ImagingFailure` or `CancellationError`.
public func digest(
  ofImage path: FilePath, events: EventSink = { _ in },
  isCancelled: () -> Bool = { Task.isCancelled }
) throws -> ContentHash {
  let descriptor = open(path.string, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw failure("open", path) }
  defer { close(descriptor) }
  let size = lseek(descriptor, 0, SEEK_END)
  guard size >= 0 else { throw failure("examine", path) }
  events(.began(.hash, total: Int(size), unit: .bytes))
  var hasher = Hasher256()
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
  defer { buffer.deallocate() }
  var position: off_t = 0
  while position < size {
    var start = lseek(descriptor, position, CInt(clinux_seek_data))
    // No more data, or a file system that does not know about holes.
    if start < 0 { start = errno == ENXIO ? size : position }
    buffer.zero()
    while position < start {
      if isCancelled() { throw CancellationError() }
      let count = min(buffer.count, start - position)
      hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      position += count
      events(.advanced(.hash, done: position, subject: ""))
    }
    let hole = lseek(descriptor, position, CInt(clinux_seek_hole))
    let end = hole < 0 ? size : hole
    while position < end {
      if isCancelled() { throw CancellationError() }
      let count = pread(
        descriptor, buffer.baseAddress, min(buffer.count, end - position), position)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure("read", path) }
      hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      position += count
      events(.advanced(.hash, done: position, subject: ""))
    }
  }
  events(.ended(.hash))
  return hasher.finish()
}

private func failure(_ operation: String, _ path: FilePath) -> ImagingFailure {
  .cannotRead(path: path.string, operation: operation, reason: lastError())
}
