internal import Content
internal import Model
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// The chunks of an image by what is in them: which parts of which files, as `KnownContents` knows files.
///
/// The same parts of files that nobody has touched since are the same bytes: they need not be hashed again, nor
/// brought to a place of a clone where they are.
public struct KnownChunks: Sendable, Equatable {
  typealias Key = KnownContents.Key

  struct Chunk: Sendable, Equatable {
    var sha256: SIMD4<UInt64>
    /// Blocks that are not all zero.
    var dataBlocks: UInt32
  }

  private var chunks: [Key: Chunk] = [:]
  /// What is in the chunk that begins at a block.
  private var places: [UInt64: Key] = [:]
  /// Stands for the file of the image, as it was when all of this was found out.
  private var disk: Key?

  public init() {}

  subscript(key: Key) -> Chunk? { chunks[key] }

  /// Whether a chunk with this content begins at a block.
  func holds(_ key: Key, at block: UInt64) -> Bool { places[block] == key }

  mutating func note(_ key: Key, _ chunk: Chunk, at block: UInt64) {
    chunks[key] = chunk
    places[block] = key
  }

  /// Notes where the image is from now on; whoever touches its file makes it an unknown one.
  public mutating func settle(at path: FilePath) {
    var status = stat()
    disk = stat(path.string, &status) == 0 ? KnownContents.key(of: [], status) : nil
  }

  /// Whether an open file is that of the image, and nobody has touched it.
  func isImage(_ descriptor: CInt) -> Bool {
    var status = stat()
    guard let disk, fstat(descriptor, &status) == 0 else { return false }
    return KnownContents.key(of: [], status) == disk
  }

  // MARK: - As bytes

  private static let recordSize = 60

  /// 16 bytes that stand for the image's file, then for each chunk the block where it begins (8), what stands
  /// for its content (16), its hash (32) and its blocks with data (4); sealed.
  public var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(48 + places.count * Self.recordSize)
    withUnsafeBytes(of: disk ?? Key()) { bytes += $0 }
    for (place, key) in places {
      guard let chunk = chunks[key] else { continue }
      withUnsafeBytes(of: place) { bytes += $0 }
      withUnsafeBytes(of: key) { bytes += $0 }
      withUnsafeBytes(of: chunk.sha256) { bytes += $0 }
      withUnsafeBytes(of: chunk.dataBlocks) { bytes += $0 }
    }
    return sealed(bytes)
  }

  /// Reads what `bytes` wrote; nil when it is not as it was written.
  public init?(bytes: [UInt8]) {
    guard let bytes = unsealed(bytes), bytes.count % Self.recordSize == 16 else { return nil }
    bytes.withUnsafeBytes { bytes in
      disk = bytes.loadUnaligned(as: Key.self)
      for at in stride(from: 16, to: bytes.count, by: Self.recordSize) {
        note(
          bytes.loadUnaligned(fromByteOffset: at + 8, as: Key.self),
          Chunk(
            sha256: bytes.loadUnaligned(fromByteOffset: at + 24, as: SIMD4.self),
            dataBlocks: bytes.loadUnaligned(fromByteOffset: at + 56, as: UInt32.self)),
          at: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
      }
    }
  }
}
