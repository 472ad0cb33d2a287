internal import Content
public import Model

#if canImport(Glibc)
  internal import Glibc
#endif

/// Contents that a survey has been through: their hashes, and that its search found nothing in them.
///
/// A content is known by the file that held it and that nobody has touched since: by its path, size, inode
/// and times, of which that of the inode's last change (ctime) cannot be set.
public struct KnownContents: Sendable, Equatable {
  /// Stands for a file: half of a SHA-256.
  typealias Key = SIMD2<UInt64>

  /// What was searched for; what was found under another rule is not known.
  public let rule: ContentHash
  private var digests: [Key: SIMD4<UInt64>] = [:]

  public init(rule: ContentHash) { self.rule = rule }

  public var count: Int { digests.count }

  /// The hash of a file's content; nil when it is not known.
  subscript(key: Key) -> ContentHash? {
    get { digests[key].map(ContentHash.init) }
    set { digests[key] = newValue?.words }
  }

  static func key(of path: [UInt8], _ status: stat) -> Key {
    var hasher = Hasher256()
    let numbers: [Int64] = [
      Int64(bitPattern: UInt64(status.st_ino)), Int64(status.st_size),
      Int64(status.st_mtim.tv_sec), Int64(status.st_mtim.tv_nsec),
      Int64(status.st_ctim.tv_sec), Int64(status.st_ctim.tv_nsec),
    ]
    numbers.withUnsafeBytes { hasher.update($0) }
    hasher.update(path)
    return hasher.finish().words.lowHalf
  }

  // MARK: - As bytes

  private static let recordSize = 48

  /// The rule, then for each file 16 bytes that stand for it and the 32 of its content's hash; sealed.
  public var bytes: [UInt8] {
    var bytes = rule.bytes
    bytes.reserveCapacity(64 + digests.count * Self.recordSize)
    for (key, digest) in digests {
      withUnsafeBytes(of: key) { bytes += $0 }
      withUnsafeBytes(of: digest) { bytes += $0 }
    }
    return sealed(bytes)
  }

  /// Reads what `bytes` wrote; nil when it is not as it was written.
  public init?(bytes: [UInt8]) {
    guard let bytes = unsealed(bytes), bytes.count % Self.recordSize == 32 else { return nil }
    rule = ContentHash(bytes: Array(bytes[..<32]))
    digests.reserveCapacity(bytes.count / Self.recordSize)
    bytes.withUnsafeBytes { bytes in
      for at in stride(from: 32, to: bytes.count, by: Self.recordSize) {
        let key = bytes.loadUnaligned(fromByteOffset: at, as: Key.self)
        digests[key] = bytes.loadUnaligned(fromByteOffset: at + 16, as: SIMD4.self)
      }
    }
  }
}

extension ContentHash {
  /// The digest in four words, which take no memory of their own.
  var words: SIMD4<UInt64> { bytes.withUnsafeBytes { $0.loadUnaligned(as: SIMD4.self) } }

  init(_ words: SIMD4<UInt64>) {
    self.init(bytes: withUnsafeBytes(of: words) { Array($0) })
  }
}

/// Bytes, and their SHA-256 behind them.
func sealed(_ bytes: [UInt8]) -> [UInt8] { bytes + ContentHash(of: bytes).bytes }

/// What was sealed; nil when it is not as it was then.
func unsealed(_ bytes: [UInt8]) -> [UInt8]? {
  let content = Array(bytes.dropLast(32))
  return ContentHash(of: content).bytes == Array(bytes.suffix(32)) ? content : nil
}
