internal import CLinux
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// The file that an image is written to: empty, or the clone of another image.
///
/// Of a clone no more is trusted than `KnownChunks` knows: all else that is to be there is compared with what is
/// there, byte by byte, and what nothing is to be in is cleared. So the bytes in the end do not depend on it.
struct ImageFile: Sendable {
  let descriptor: CInt
  /// For messages.
  let path: String
  /// Whether it had content at the beginning.
  let isClone: Bool
  /// Whether it is the clone of an image that is known, and that nobody has touched.
  let isKnown: Bool

  /// Shorter runs of zeros are written: a hole would cost more than it saves.
  private static let shortestHole = 4

  private enum State { case same, zero, data }

  /// Makes the file, of its full size.
  ///
  /// - Parameter base: an image to clone, if the file system can share blocks between files.
  static func create(
    _ path: FilePath, size: Int64, base: FilePath?, known: KnownChunks?
  ) throws(ImagingFailure) -> ImageFile {
    let descriptor = open(path.string, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw .cannotWrite(path: path.string, operation: "create", reason: lastError())
    }
    var (isClone, isKnown) = (false, false)
    if let base {
      let source = open(base.string, O_RDONLY | O_CLOEXEC)
      guard source >= 0 else {
        Glibc.close(descriptor)
        unlink(path.string)
        throw .cannotRead(path: base.string, operation: "open", reason: lastError())
      }
      isClone = clinux_clone(descriptor, source) == 0
      isKnown = isClone && known?.isImage(source) == true
      Glibc.close(source)
    }
    guard ftruncate(descriptor, off_t(size)) == 0 else {
      let reason = lastError()
      Glibc.close(descriptor)
      unlink(path.string)
      throw .cannotWrite(path: path.string, operation: "size", reason: reason)
    }
    return ImageFile(descriptor: descriptor, path: path.string, isClone: isClone, isKnown: isKnown)
  }

  /// After a sync, closing has nothing left to report.
  func close() { _ = Glibc.close(descriptor) }

  /// Closes the file and removes it.
  func discard() {
    close()
    unlink(path)
  }

  /// Brings bytes to their place; runs of zeros become holes.
  ///
  /// - Parameters:
  ///   - zeros: whether each block is all zero.
  ///   - scratch: as large as `bytes`, for what is there.
  func write(
    _ bytes: UnsafeMutableRawBufferPointer, zeros: [Bool], at block: UInt64,
    scratch: UnsafeMutableRawBufferPointer
  ) throws(ImagingFailure) {
    var states = zeros.map { $0 ? State.zero : .data }
    if isClone {
      let there = UnsafeMutableRawBufferPointer(rebasing: scratch[..<bytes.count])
      try read(there, at: Int(block) * blockSize)
      for index in states.indices where isSame(bytes, there, block: index) { states[index] = .same }
    } else {
      keepShortRuns(&states)
    }
    var start = 0
    for index in states.indices
    where index + 1 == states.count || states[index + 1] != states[index] {
      let range = start..<index + 1
      switch states[index] {
      case .data: try write(bytes, range, at: block)
      case .zero where isClone:
        let first = (Int(block) + start) * blockSize
        try clear(first..<first + range.count * blockSize)
      case .zero, .same: break
      }
      start = index + 1
    }
    if !isClone { clinux_start_writeback(descriptor, Int(block) * blockSize, bytes.count) }
  }

  /// Makes zero what nothing is to be in, in blocks.
  func clear(blocks: Range<UInt64>) throws(ImagingFailure) {
    guard isClone, !blocks.isEmpty else { return }
    let end = Int(blocks.upperBound) * blockSize
    var position = Int(blocks.lowerBound) * blockSize
    while position < end {
      let start = lseek(descriptor, position, CInt(clinux_seek_data))
      // No more data.
      if start < 0, errno == ENXIO { return }
      guard start >= 0 else { throw failure("find the holes of") }
      if start >= end { return }
      let hole = lseek(descriptor, start, CInt(clinux_seek_hole))
      guard hole > start else { throw failure("find the holes of") }
      // Data that begins within a block reaches to its ends.
      let first = start / blockSize * blockSize
      position = min((hole + blockSize - 1) / blockSize * blockSize, end)
      try clear(first..<position)
    }
  }

  private func clear(_ bytes: Range<Int>) throws(ImagingFailure) {
    guard clinux_punch_hole(descriptor, bytes.lowerBound, bytes.count) == 0 else {
      throw failure("clear blocks of")
    }
  }

  /// Between data, a short run of zeros counts as data.
  private func keepShortRuns(_ states: inout [State]) {
    var run = 0
    for index in states.indices {
      if states[index] == .zero {
        run += 1
        continue
      }
      if run > 0, run < Self.shortestHole, run < index {
        for zero in index - run..<index { states[zero] = .data }
      }
      run = 0
    }
  }

  private func read(
    _ bytes: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(ImagingFailure) {
    // A failed read leaves its reason in errno.
    guard (try? readFully(descriptor, at: Int64(offset), into: bytes)) == bytes.count
    else { throw failure("read back") }
  }

  private func write(
    _ bytes: UnsafeMutableRawBufferPointer, _ blocks: Range<Int>, at block: UInt64
  ) throws(ImagingFailure) {
    var range = (blocks.lowerBound * blockSize)..<(blocks.upperBound * blockSize)
    while !range.isEmpty {
      let count = pwrite(
        descriptor, bytes.baseAddress?.advanced(by: range.lowerBound), range.count,
        off_t(block) * off_t(blockSize) + off_t(range.lowerBound))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure("write") }
      range = (range.lowerBound + count)..<range.upperBound
    }
  }

  private func failure(_ operation: String) -> ImagingFailure {
    .cannotWrite(path: path, operation: operation, reason: lastError())
  }
}

/// Which blocks are all zero.
func zeroBlocks(of bytes: UnsafeMutableRawBufferPointer) -> [Bool] {
  (0..<bytes.count / blockSize).map { index in
    let block = UnsafeRawBufferPointer(
      rebasing: bytes[(index * blockSize)..<((index + 1) * blockSize)])
    return block.withMemoryRebound(to: UInt64.self) { words in
      // Most blocks show at once that they are not empty.
      if words[0] != 0 || words[words.count - 1] != 0 { return false }
      var all: UInt64 = 0
      for word in words { all |= word }
      return all == 0
    }
  }
}

private func isSame(
  _ left: UnsafeMutableRawBufferPointer, _ right: UnsafeMutableRawBufferPointer, block: Int
) -> Bool {
  guard let left = left.baseAddress, let right = right.baseAddress else { return true }
  return memcmp(left + block * blockSize, right + block * blockSize, blockSize) == 0
}
