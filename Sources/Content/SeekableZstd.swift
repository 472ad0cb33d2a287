internal import Synchronization
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

extension Zstd {
  /// Bytes of content in each frame but the last.
  public static let seekableFrame = 4 << 20

  /// Compresses a file in frames that can be unpacked one by one, with a table of them at the end.
  ///
  /// Any zstd unpacks the result as a whole; who knows the table finds the frame of an offset. Holes
  /// are not read. The bytes depend on content and level alone.
  ///
  /// - Parameter target: must not be there; it reaches the disk.
  /// - Throws: `ZstdFailure`, `Errno`, `CancellationError`; what is left of `target` is the caller's.
  ///
  /// Source of the table's form: zstd's `contrib/seekable_format/zstd_seekable_compression_format.md`.
  public static func compressSeekably(
    _ source: FilePath, to target: FilePath, level: Int = defaultLevel, jobs: Int
  ) throws {
    let input = try FileDescriptor.open(source, .readOnly, options: .closeOnExec)
    defer { try? input.close() }  // read only: nothing is lost
    let output = try FileDescriptor.open(
      target, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
      permissions: [.ownerReadWrite])
    try output.closeAfter {
      let size = Int(try input.seek(offset: 0, from: .end))
      let count = (size + seekableFrame - 1) / seekableFrame
      let zeros = ZeroFrames(level: level)
      var table: [UInt8] = []
      for first in stride(from: 0, to: count, by: max(1, jobs) * 4) {
        try Task.checkCancellation()
        let places = Array(first..<min(count, first + max(1, jobs) * 4))
        let frames = try concurrentMap(places, jobs: jobs) { place in
          let start = place * seekableFrame
          let length = min(seekableFrame, size - start)
          guard try hasData(input, start, length) else { return try zeros.frame(of: length) }
          return try compress(try bytes(of: input, at: start, length), level: level)
        }
        for (place, frame) in zip(places, frames) {
          try output.writeAll(frame)
          table += littleEndian(frame.count)
          table += littleEndian(min(seekableFrame, size - place * seekableFrame))
        }
      }
      // A frame that unpackers skip: its magic number and length, the table, and the table's foot.
      try output.writeAll(
        littleEndian(0x184D_2A5E) + littleEndian(table.count + 9) + table + littleEndian(count)
          + [0] + littleEndian(0x8F92_EAB1))
      try synchronise(output)
    }
  }
}

/// Frames of zeros by their length: a sparse image has thousands of equal ones.
private final class ZeroFrames: Sendable {
  private let level: Int
  private let frames = Mutex<[Int: [UInt8]]>([:])

  init(level: Int) { self.level = level }

  func frame(of length: Int) throws -> [UInt8] {
    if let frame = frames.withLock({ $0[length] }) { return frame }
    let frame = try Zstd.compress([UInt8](repeating: 0, count: length), level: level)
    frames.withLock { $0[length] = frame }
    return frame
  }
}

/// Whether any block of a range is no hole.
private func hasData(_ file: FileDescriptor, _ start: Int, _ length: Int) throws -> Bool {
  let seekData: CInt = 3  // SEEK_DATA of lseek(2)
  let data = lseek(file.rawValue, off_t(start), seekData)
  if data < 0 { return errno != ENXIO }
  return Int(data) < start + length
}

private func bytes(of file: FileDescriptor, at start: Int, _ length: Int) throws -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: length)
  try bytes.withUnsafeMutableBytes { buffer in
    var done = 0
    while done < length {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      let count = try file.read(fromAbsoluteOffset: Int64(start + done), into: rest)
      guard count > 0 else { throw Errno.ioError }
      done += count
    }
  }
  return bytes
}

private func littleEndian(_ number: Int) -> [UInt8] {
  (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
}
