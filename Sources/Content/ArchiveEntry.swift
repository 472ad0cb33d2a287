public import Model

/// One member of an archive, as its header describes it.
///
/// Names are the archive's own bytes: no locale, no normalisation, nothing removed from them. The
/// reader of an entry decides what a leading `/` or a `..` means.
public struct ArchiveEntry: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    case file
    case directory
    /// The target's bytes, as stored.
    case symlink(target: [UInt8])
    /// Another name of the file that an earlier member of this path made.
    case hardlink(target: [UInt8])
    case characterDevice(major: UInt32, minor: UInt32)
    case blockDevice(major: UInt32, minor: UInt32)
    case fifo
    case socket
  }

  /// A run of bytes that the archive holds; what lies between runs is a hole.
  public struct DataRange: Sendable, Equatable {
    public var offset: Int64
    public var length: Int64

    public init(offset: Int64, length: Int64) {
      self.offset = offset
      self.length = length
    }
  }

  public var path: [UInt8]
  public var kind: Kind
  /// Permissions with set-user-id, set-group-id and sticky bits: 12 bits. With an access ACL the
  /// group's bits are the ACL's mask, as `stat` shows them.
  public var mode: UInt16
  public var uid: UInt32
  public var gid: UInt32
  /// Seconds since 1970; 0 when the archive has no time.
  public var modified: Int64
  /// 0 to 999,999,999.
  public var modifiedNanoseconds: UInt32
  /// Bytes of content; nil when a streamed zip tells only after the content.
  public var size: Int64?
  /// Extended attributes with their full names, sorted by name. ACLs are among them, in the
  /// kernel's form, as `system.posix_acl_access` and `system.posix_acl_default`.
  public var xattrs: [Xattr]
  /// Where a sparse file has data; nil for a file without holes.
  public var sparse: [DataRange]?
  /// Where the content starts in the archive, counted after decompression. In an uncompressed tar
  /// the bytes of a file that is not sparse can be read from there.
  public var dataOffset: Int64

  public typealias Xattr = Tree.Xattr
}
