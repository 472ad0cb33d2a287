internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Delivers the archive's bytes to the library and keeps what went wrong while doing so.
class ArchiveSource {
  let name: String
  var failure: (any Error)?
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)

  init(name: String) { self.name = name }

  /// Whether the archive is a zip; only where one can look without reading.
  var startsAsZip: Bool { false }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int { 0 }

  /// Moves the reading position; nil where that is impossible.
  func seek(_ offset: Int64, from origin: CInt) -> Int64? { nil }

  var canSeek: Bool { false }

  deinit { buffer.deallocate() }
}

final class FileSource: ArchiveSource {
  private let file: FileDescriptor
  private let isOwner: Bool
  private let isRegular: Bool

  init(_ file: FileDescriptor, name: String, isOwner: Bool) {
    self.file = file
    self.isOwner = isOwner
    var status = stat()
    isRegular = fstat(file.rawValue, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    super.init(name: name)
  }

  override var canSeek: Bool { isRegular }

  override var startsAsZip: Bool {
    guard isRegular, let here = seek(0, from: SEEK_CUR) else { return false }
    var start: [UInt8] = [0, 0, 0, 0]
    let count = pread(file.rawValue, &start, 4, off_t(here))
    return count == 4 && [[80, 75, 3, 4], [80, 75, 5, 6]].contains(start)
  }

  override func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    try file.read(into: buffer)
  }

  override func seek(_ offset: Int64, from origin: CInt) -> Int64? {
    let position = lseek(file.rawValue, off_t(offset), origin)
    return position < 0 ? nil : Int64(position)
  }

  deinit {
    // Only read from: closing cannot lose anything.
    if isOwner { try? file.close() }
  }
}

final class ClosureSource: ArchiveSource {
  private let body: (UnsafeMutableRawBufferPointer) throws -> Int

  init(name: String, _ body: @escaping (UnsafeMutableRawBufferPointer) throws -> Int) {
    self.body = body
    super.init(name: name)
  }

  override func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    try body(buffer)
  }
}
