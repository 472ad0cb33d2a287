internal import CZstd
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Why bytes could not be compressed or unpacked with zstd.
public enum ZstdFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// libzstd refuses, in its own words.
  case refused(String)
  /// The data end in the middle of a frame.
  case truncated
  /// The content has more bytes than it may have.
  case tooLarge(limit: Int)

  public var description: String {
    switch self {
    case .refused(let reason): "zstd fails: \(reason)"
    case .truncated: "the zstd data end too early"
    case .tooLarge(let limit): "the zstd data unpack to more than \(limit) bytes"
    }
  }
}

/// Compression by zstd: of bytes in memory, and from one open file into another.
///
/// The compressed bytes depend on content and level alone, not on the number of threads.
public enum Zstd {
  /// How hard to try: 3 is fast, 19 small; 1 to 22.
  public static let defaultLevel = 3

  /// The compressed form of bytes in memory, with a checksum.
  public static func compress(
    _ bytes: [UInt8], level: Int = defaultLevel
  ) throws(ZstdFailure) -> [UInt8] {
    let compressor = try Compressor.make(level: level, threads: 1, size: bytes.count)
    var result = [UInt8]()
    try failure {
      try bytes.withUnsafeBytes { try compressor.add($0, isLast: true) { result += $0 } }
    }
    return result
  }

  /// The content of compressed bytes in memory, which may be several frames.
  ///
  /// - Parameter limit: the most bytes that may come out.
  public static func decompress(_ bytes: [UInt8], limit: Int) throws(ZstdFailure) -> [UInt8] {
    var decompressor = try Decompressor.make(limit: limit)
    var result = [UInt8]()
    try failure {
      try bytes.withUnsafeBytes { try decompressor.add($0) { result += $0 } }
    }
    try decompressor.finish()
    return result
  }

  /// Compresses what is left to read of a file and writes it to another.
  ///
  /// - Parameters:
  ///   - threads: the work is spread over so many, at least one.
  ///   - size: of the content in bytes, when known: the frame tells it to who unpacks it.
  /// - Throws: `ZstdFailure`, `Errno`, `CancellationError`.
  public static func compress(
    from source: FileDescriptor, to target: FileDescriptor, level: Int = defaultLevel,
    threads: Int = 1, size: Int? = nil
  ) throws {
    let compressor = try Compressor.make(level: level, threads: max(1, threads), size: size)
    try forEachPiece(of: source) { piece in
      // An empty piece is the end.
      try compressor.add(piece, isLast: piece.isEmpty) { _ = try target.writeAll($0) }
    }
  }

  /// Compresses what `read` delivers and writes it to a file, on this thread.
  ///
  /// - Parameter read: fills the front of the buffer and returns the number of bytes, 0 at the end.
  /// - Throws: `ZstdFailure`, `Errno`, `CancellationError`, what `read` throws.
  public static func compress(
    to target: FileDescriptor, level: Int = defaultLevel,
    reading read: (UnsafeMutableRawBufferPointer) throws -> Int
  ) throws {
    let compressor = try Compressor.make(level: level, threads: 0, size: nil)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
    defer { buffer.deallocate() }
    while true {
      try Task.checkCancellation()
      let count = try read(buffer)
      try compressor.add(
        UnsafeRawBufferPointer(rebasing: buffer[..<count]), isLast: count == 0
      ) { _ = try target.writeAll($0) }
      if count == 0 { return }
    }
  }

  /// Unpacks what is left to read of a file into another.
  ///
  /// - Parameters:
  ///   - limit: the most bytes that may come out.
  ///   - makesHoles: blocks of zeros become holes; the target is then empty and open at its start.
  /// - Returns: how many bytes came out.
  /// - Throws: `ZstdFailure`, `Errno`, `CancellationError`.
  @discardableResult
  public static func decompress(
    from source: FileDescriptor, to target: FileDescriptor, limit: Int = .max,
    makesHoles: Bool = false
  ) throws -> Int {
    var decompressor = try Decompressor.make(limit: limit)
    try forEachPiece(of: source) { piece in
      try decompressor.add(piece) { bytes in
        if makesHoles, isZero(bytes) {
          try target.seek(offset: Int64(bytes.count), from: .current)
        } else {
          _ = try target.writeAll(bytes)
        }
      }
    }
    try decompressor.finish()
    if makesHoles { try target.resize(to: Int64(decompressor.count)) }
    return decompressor.count
  }

  /// Runs a body whose only failures are ours.
  private static func failure(_ body: () throws -> Void) throws(ZstdFailure) {
    do { try body() } catch { throw error as? ZstdFailure ?? .refused("\(error)") }
  }
}

/// Reads a file to its end in pieces of 1 MiB; the last piece is empty.
private func forEachPiece(
  of file: FileDescriptor, _ body: (UnsafeRawBufferPointer) throws -> Void
) throws {
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
  defer { buffer.deallocate() }
  while true {
    try Task.checkCancellation()
    let count = try file.read(into: buffer)
    try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    if count == 0 { return }
  }
}

private func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
  guard let start = bytes.baseAddress, bytes.count > 1 else { return bytes.allSatisfy { $0 == 0 } }
  // Each byte equals the one before it.
  return bytes[0] == 0 && memcmp(start, start + 1, bytes.count - 1) == 0
}

/// libzstd's compression of one frame.
private struct Compressor: ~Copyable {
  private let context: OpaquePointer

  private init(adopting context: OpaquePointer) { self.context = context }

  deinit { ZSTD_freeCCtx(context) }

  static func make(level: Int, threads: Int, size: Int?) throws(ZstdFailure) -> Compressor {
    guard let context = ZSTD_createCCtx() else { throw .refused("no memory") }
    let compressor = Compressor(adopting: context)
    try check(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, CInt(clamping: level)))
    try check(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1))
    // No worker at all would cut the content otherwise and give other bytes.
    try check(ZSTD_CCtx_setParameter(context, ZSTD_c_nbWorkers, CInt(clamping: threads)))
    if let size { try check(ZSTD_CCtx_setPledgedSrcSize(context, UInt64(size))) }
    return compressor
  }

  func add(
    _ bytes: UnsafeRawBufferPointer, isLast: Bool, to sink: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
    try withOutput(ZSTD_CStreamOutSize()) { buffer in
      while true {
        var output = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
        let left = try check(
          ZSTD_compressStream2(context, &output, &input, isLast ? ZSTD_e_end : ZSTD_e_continue))
        try sink(UnsafeRawBufferPointer(rebasing: buffer[..<output.pos]))
        if isLast ? left == 0 : input.pos == input.size { return }
      }
    }
  }
}

/// libzstd's reading of frames, one after another.
private struct Decompressor: ~Copyable {
  private let context: OpaquePointer
  private let limit: Int
  /// Bytes that came out.
  private(set) var count = 0
  private var isAtEnd = false

  private init(adopting context: OpaquePointer, limit: Int) {
    self.context = context
    self.limit = limit
  }

  deinit { ZSTD_freeDCtx(context) }

  static func make(limit: Int) throws(ZstdFailure) -> Decompressor {
    guard let context = ZSTD_createDCtx() else { throw .refused("no memory") }
    return Decompressor(adopting: context, limit: limit)
  }

  mutating func add(
    _ bytes: UnsafeRawBufferPointer, to sink: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    guard !bytes.isEmpty else { return }
    var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
    try withOutput(ZSTD_DStreamOutSize()) { buffer in
      while true {
        var output = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
        isAtEnd = try check(ZSTD_decompressStream(context, &output, &input)) == 0
        count += output.pos
        guard count <= limit else { throw ZstdFailure.tooLarge(limit: limit) }
        try sink(UnsafeRawBufferPointer(rebasing: buffer[..<output.pos]))
        // A full buffer may have left something behind, unless the frame is over.
        if input.pos == input.size, isAtEnd || output.pos < output.size { return }
      }
    }
  }

  func finish() throws(ZstdFailure) {
    guard isAtEnd else { throw .truncated }
  }
}

/// Lends a buffer for what comes out.
private func withOutput(
  _ size: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Void
) rethrows {
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
  defer { buffer.deallocate() }
  try body(buffer)
}

@discardableResult
private func check(_ code: Int) throws(ZstdFailure) -> Int {
  guard ZSTD_isError(code) == 0 else {
    throw .refused(String(cString: ZSTD_getErrorName(code)))
  }
  return code
}
