internal import Content
public import Model

/// What an image is to be, besides the tree.
public struct ImageOptions: Sendable, Equatable {
  /// Bytes, a multiple of 4096.
  public var size: Int64
  /// At most 16 bytes.
  public var label: String
  public var uuid: VolumeIdentifier
  /// Seeds the order of names in indexed folders.
  public var hashSeed: VolumeIdentifier
  /// Seconds since 1970: every time in the image that is not a file's own.
  public var epoch: UInt32
  /// How many files the image can hold, rounded up to whole blocks of inodes; nil: one for 16 KiB,
  /// or for 4 KiB in an image under 512 MiB, as mke2fs has it.
  public var inodeCount: Int?
  /// How many threads read, write and hash, at least one of each; the image does not depend on it.
  public var jobs: Int

  public init(
    size: Int64, label: String = "", uuid: VolumeIdentifier, hashSeed: VolumeIdentifier,
    epoch: UInt32, inodeCount: Int? = nil, jobs: Int = 2
  ) {
    self.size = size
    self.label = label
    self.uuid = uuid
    self.hashSeed = hashSeed
    self.epoch = epoch
    self.inodeCount = inodeCount
    self.jobs = jobs
  }

  /// The options with UUID and hash seed made from a text, such as the image's name and the digest
  /// of its lock.
  public init(
    size: Int64, label: String = "", identity: String, epoch: UInt32, inodeCount: Int? = nil,
    jobs: Int = 2
  ) {
    self.init(
      size: size, label: label, uuid: VolumeIdentifier(from: "uuid:\(identity)"),
      hashSeed: VolumeIdentifier(from: "hash-seed:\(identity)"), epoch: epoch,
      inodeCount: inodeCount, jobs: jobs)
  }
}

/// A UUID: 16 bytes, shown as 8-4-4-4-12 hexadecimal digits.
public struct VolumeIdentifier: Sendable, Hashable, CustomStringConvertible {
  public let bytes: [UInt8]

  /// A UUID made from a text: the same text, the same UUID.
  ///
  /// Version 8 of RFC 9562: the first 16 bytes of the text's SHA-256 with version and variant set.
  public init(from text: String) {
    var bytes = Array(ContentHash(of: text).bytes.prefix(16))
    bytes[6] = bytes[6] & 0x0F | 0x80
    bytes[8] = bytes[8] & 0x3F | 0x80
    self.bytes = bytes
  }

  /// Reads the usual form, upper or lower case; anything else is nil.
  public init?(_ text: String) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.map(\.utf8.count) == [8, 4, 4, 4, 12] else { return nil }
    let digits = Array(parts.joined().utf8)
    var bytes = [UInt8]()
    for index in stride(from: 0, to: 32, by: 2) {
      let pair = String(decoding: digits[index..<index + 2], as: UTF8.self)
      guard pair.allSatisfy(\.isHexDigit), let byte = UInt8(pair, radix: 16) else { return nil }
      bytes.append(byte)
    }
    self.bytes = bytes
  }

  public var description: String {
    var text = ""
    for (index, byte) in bytes.enumerated() {
      if [4, 6, 8, 10].contains(index) { text += "-" }
      let digits = String(byte, radix: 16)
      text += digits.count == 1 ? "0\(digits)" : digits
    }
    return text
  }
}

/// What an image turned out to be.
public struct ImageFacts: Sendable, Equatable {
  public var uuid: VolumeIdentifier
  public var hashSeed: VolumeIdentifier
  public var label: String
  /// Bytes of the image.
  public var size: Int64
  /// Bytes of the blocks that are not zero.
  public var allocatedSize: Int64
  public var blockSize: Int
  public var blockCount: Int64
  public var freeBlocks: Int64
  public var inodeSize: Int
  public var inodeCount: Int
  public var freeInodes: Int
  public var journalBlocks: Int
  /// ext4's names for them, sorted.
  public var features: [String]
  public var chunks: ChunkTable
  /// Of the whole file.
  public var sha256: ContentHash
  /// Whether the image shares with its base what did not change.
  public var isClone: Bool
  /// What the next image need not hash, or bring to its place, again.
  public var known: KnownChunks
}
