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
    let offset = Int64(block) * Int64(blockSize)
    // A failed read leaves its reason in errno.
    guard (try? readFully(descriptor, at: offset, into: bytes)) == bytes.count
    else { throw .cannotRead(path: "memory", operation: "read back", reason: lastError()) }
  }

  deinit { close(descriptor) }
}
