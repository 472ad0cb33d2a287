internal import CLinux
internal import Content
public import Model
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// The SHA-256 of an image as a whole; holes count as zeros and are not read.
///
/// - Parameter isCancelled: asked for every 64 MiB.
/// - Throws: `ImagingFailure` or `CancellationError`.
public func digest(
  ofImage path: FilePath, events: EventSink = { _ in },
  isCancelled: () -> Bool = { Task.isCancelled }
) throws -> ContentHash {
  let descriptor = open(path.string, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else {
    throw ImagingFailure.cannotRead(path: path.string, operation: "open", reason: lastError())
  }
  defer { close(descriptor) }
  let size = lseek(descriptor, 0, SEEK_END)
  guard size >= 0 else {
    throw ImagingFailure.cannotRead(path: path.string, operation: "examine", reason: lastError())
  }
  events(.began(.hash, total: Int(size), unit: .bytes))
  let hash = try digest(of: descriptor, path: path.string, size: size) { position in
    if isCancelled() { throw CancellationError() }
    events(.advanced(.hash, done: position, subject: ""))
    return size
  }
  events(.ended(.hash))
  return hash
}

/// The SHA-256 of an open file, which may still be in the making.
///
/// - Parameter ready: gets how much has been hashed, and returns up to where the file is finished: more
///   than that, and at most `size`. It may wait, or throw to end the work.
func digest(
  of descriptor: CInt, path: String, size: Int, ready: (_ position: Int) throws -> Int
) throws -> ContentHash {
  var hasher = Hasher256()
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
  let zeros = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
  zeros.zero()
  defer {
    buffer.deallocate()
    zeros.deallocate()
  }
  var position = 0
  while position < size {
    // Asked seldom: these questions wait for whoever writes to the file.
    let limit = min(try ready(position), position + 64 << 20)
    let start = lseek(descriptor, position, CInt(clinux_seek_data))
    // No more data, or a file system that does not know about holes.
    let data = min(start >= 0 ? start : errno == ENXIO ? limit : position, limit)
    while position < data {
      let count = min(zeros.count, data - position)
      hasher.update(UnsafeRawBufferPointer(rebasing: zeros[..<count]))
      position += count
    }
    guard position < limit else { continue }
    let hole = lseek(descriptor, position, CInt(clinux_seek_hole))
    let end = min(hole > position ? hole : limit, limit)
    while position < end {
      let count = pread(
        descriptor, buffer.baseAddress, min(buffer.count, end - position), position)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        throw ImagingFailure.cannotRead(path: path, operation: "read", reason: lastError())
      }
      hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      position += count
    }
  }
  return hasher.finish()
}
