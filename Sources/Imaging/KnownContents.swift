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
    get { digests[key].map { withUnsafeBytes(of: $0) { ContentHash(bytes: Array($0)) } } }
    set {
      digests[key] = newValue.map { $0.bytes.withUnsafeBytes { $0.loadUnaligned(as: SIMD4.self) } }
    }
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
    return hasher.finish().bytes.withUnsafeBytes { $0.loadUnaligned(as: Key.self) }
  }

  // MARK: - As bytes

  private static let recordSize = 48

  /// The rule, then for each file 16 bytes that stand for it and the 32 of its content's hash, then the
  /// SHA-256 of all that.
  public var bytes: [UInt8] {
    var bytes = rule.bytes
    bytes.reserveCapacity(64 + digests.count * Self.recordSize)
    for (key, digest) in digests {
      withUnsafeBytes(of: key) { bytes += $0 }
      withUnsafeBytes(of: digest) { bytes += $0 }
    }
    return bytes + ContentHash(of: bytes).bytes
  }

  /// Reads what `bytes` wrote; nil when it is not as it was written.
  public init?(bytes: [UInt8]) {
    let end = bytes.count - 32
    guard end >= 32, (end - 32) % Self.recordSize == 0,
      ContentHash(of: Array(bytes[..<end])).bytes == Array(bytes[end...])
    else { return nil }
    rule = ContentHash(bytes: Array(bytes[..<32]))
    digests.reserveCapacity((end - 32) / Self.recordSize)
    bytes.withUnsafeBytes { bytes in
      for at in stride(from: 32, to: end, by: Self.recordSize) {
        let key = bytes.loadUnaligned(fromByteOffset: at, as: Key.self)
        digests[key] = bytes.loadUnaligned(fromByteOffset: at + 16, as: SIMD4.self)
      }
    }
  }
}
