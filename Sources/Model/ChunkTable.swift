/// The pieces of a disk that hold data, each with its hash; all that no piece covers is zero. Format:
/// `docs/chunks.md`.
///
/// It says of a disk all that the hash of the whole file says, and can be made and checked in parallel,
/// without a look at holes, and for a part of the disk alone.
public struct ChunkTable: Sendable, Equatable {
  /// A run of whole blocks.
  public struct Chunk: Sendable, Equatable {
    /// Bytes from the start of the disk.
    public var offset: Int
    /// Bytes.
    public var length: Int
    public var sha256: ContentHash

    public init(offset: Int, length: Int, sha256: ContentHash) {
      self.offset = offset
      self.length = length
      self.sha256 = sha256
    }

    /// Where it lies on the disk.
    public var range: Range<Int> { offset..<offset + length }
  }

  public static let fileName = "rootfs.chunks"
  public static let mediaType = "application/vnd.golden.chunks.v1"
  /// How chunks are cut, by its name in manifests.
  public static let layout = "extent-aligned/v1"
  /// No chunk is longer.
  public static let longestChunk = 4 << 20
  /// Offsets and lengths are multiples of this.
  public static let step = 4096
  private static let entrySize = 44

  /// Ascending and apart.
  public let chunks: [Chunk]

  /// - Throws: `FaultyChunkTable` for chunks that overlap, are out of order, or not whole blocks.
  public init(_ chunks: [Chunk]) throws(FaultyChunkTable) {
    var end = 0
    for (place, chunk) in chunks.enumerated() {
      guard chunk.offset >= end, chunk.offset <= Int.max - Self.longestChunk else {
        throw FaultyChunkTable(reason: "chunk \(place) lies before the end of the one before")
      }
      guard (1...Self.longestChunk).contains(chunk.length),
        chunk.length % Self.step == 0, chunk.offset % Self.step == 0
      else {
        throw FaultyChunkTable(
          reason: "chunk \(place) has \(chunk.length) bytes at \(chunk.offset)")
      }
      end = chunk.range.upperBound
    }
    self.chunks = chunks
  }

  /// Reads a table's file.
  public init(bytes: [UInt8]) throws(FaultyChunkTable) {
    guard bytes.count % Self.entrySize == 0 else {
      throw FaultyChunkTable(reason: "its size, \(bytes.count), is no multiple of 44")
    }
    var chunks = [Chunk]()
    chunks.reserveCapacity(bytes.count / Self.entrySize)
    for start in stride(from: 0, to: bytes.count, by: Self.entrySize) {
      func number(_ range: Range<Int>) -> UInt64 {
        range.reversed().reduce(0) { $0 << 8 | UInt64(bytes[start + $1]) }
      }
      chunks.append(
        Chunk(
          offset: Int(clamping: number(0..<8)), length: Int(number(8..<12)),
          sha256: ContentHash(bytes: Array(bytes[start + 12..<start + 44]))))
    }
    try self.init(chunks)
  }

  /// The table's file.
  public var bytes: [UInt8] {
    var bytes = [UInt8]()
    bytes.reserveCapacity(chunks.count * Self.entrySize)
    for chunk in chunks {
      for shift in stride(from: 0, to: 64, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: chunk.offset >> shift))
      }
      for shift in stride(from: 0, to: 32, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: chunk.length >> shift))
      }
      bytes += chunk.sha256.bytes
    }
    return bytes
  }

  /// Bytes of all chunks.
  public var dataBytes: Int { chunks.reduce(0) { $0 + $1.length } }
}

/// A table of chunks that is none.
public struct FaultyChunkTable: Error, Sendable, Equatable, CustomStringConvertible {
  public var reason: String
  public var description: String { "the table of chunks is faulty: \(reason)" }
}
