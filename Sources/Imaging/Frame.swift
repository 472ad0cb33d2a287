internal import CLinux

#if canImport(Glibc)
  internal import Glibc
#endif

/// What libext2fs writes of a file system: superblocks, group descriptors, bitmaps, the resize inode's
/// block. It is kept in memory, in a sparse file without a name, until it goes to the image in order.
final class Frame: Sendable {
  let descriptor: CInt

  /// - Parameter size: bytes of the image.
  init(size: Int64) throws(ImagingFailure) {
    descriptor = clinux_memory_file("build-snapshot")
    guard descriptor >= 0, ftruncate(descriptor, off_t(size)) == 0 else {
      throw .cannotWrite(path: "memory", operation: "lay out", reason: lastError())
    }
  }

  /// Reads whole blocks.
  func read(
    _ bytes: UnsafeMutableRawBufferPointer, at block: UInt64
  ) throws(ImagingFailure) {
    var done = 0
    while done < bytes.count {
      let count = pread(
        descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done,
        off_t(block) * off_t(blockSize) + off_t(done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        throw .cannotRead(path: "memory", operation: "read back", reason: lastError())
      }
      done += count
    }
  }

  deinit { close(descriptor) }
}
