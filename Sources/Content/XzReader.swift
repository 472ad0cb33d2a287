internal import CLzma

/// The content of xz, front to back, decoded on several threads where it was written in blocks.
///
/// What `dpkg-deb` and `xz -T` write is cut in blocks that say how long they are; a deb of Chromium has twelve.
public final class XzReader {
  private let stream: UnsafeMutablePointer<lzma_stream>
  private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
  private var hasAllInput = false
  private var isAtEnd = false

  /// Two blocks as `xz -6` cuts them fit; with larger ones there is one thread.
  private static let memoryOfThreads: UInt64 = 96 << 20
  /// `xz -9` needs a quarter of it; who writes more does not mean well.
  private static let mostMemory: UInt64 = 256 << 20

  /// - Parameter threads: how many decode, beside the one that reads.
  public init(threads: Int) throws(XzFailure) {
    stream = .allocate(capacity: 1)
    stream.initialize(to: lzma_stream())
    let code = clzma_start_reading(
      stream, UInt32(clamping: max(1, threads)), Self.memoryOfThreads, Self.mostMemory)
    guard code == LZMA_OK else { throw XzFailure(code) }
  }

  deinit {
    lzma_end(stream)
    stream.deallocate()
    input.deallocate()
  }

  /// Reads on in the content; returns the number of bytes, 0 at its end.
  ///
  /// - Parameter source: fills the front of a buffer with what is to be decoded next and returns the number
  ///   of bytes, 0 at the end; the same bytes, one after another, from call to call.
  /// - Throws: `XzFailure`, what `source` throws.
  public func read(
    into buffer: UnsafeMutableRawBufferPointer,
    from source: (UnsafeMutableRawBufferPointer) throws -> Int
  ) throws -> Int {
    stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_out = buffer.count
    while !isAtEnd, stream.pointee.avail_out == buffer.count {
      if stream.pointee.avail_in == 0, !hasAllInput {
        let count = try source(input)
        hasAllInput = count == 0
        stream.pointee.next_in = UnsafePointer(
          input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = count
      }
      let code = lzma_code(stream, hasAllInput ? LZMA_FINISH : LZMA_RUN)
      isAtEnd = code == LZMA_STREAM_END
      guard isAtEnd || code == LZMA_OK else { throw XzFailure(code) }
    }
    return buffer.count - stream.pointee.avail_out
  }
}

/// Why xz could not be decoded.
public enum XzFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// It is not xz, or not what was written.
  case damaged
  /// It ends too early.
  case truncated
  /// It wants more memory than it gets.
  case tooLarge
  case refused(code: Int)

  fileprivate init(_ code: lzma_ret) {
    self =
      switch code {
      case LZMA_FORMAT_ERROR, LZMA_DATA_ERROR, LZMA_OPTIONS_ERROR: .damaged
      case LZMA_BUF_ERROR: .truncated
      case LZMA_MEMLIMIT_ERROR, LZMA_MEM_ERROR: .tooLarge
      default: .refused(code: Int(code.rawValue))
      }
  }

  public var description: String {
    switch self {
    case .damaged: "the xz is damaged"
    case .truncated: "the xz is cut off"
    case .tooLarge: "the xz wants more memory than it gets"
    case .refused(let code): "liblzma refuses the xz with code \(code)"
    }
  }
}
