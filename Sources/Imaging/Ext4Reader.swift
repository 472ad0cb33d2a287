internal import CExt2FS
internal import Model

#if canImport(Glibc)
  internal import Glibc
#endif

/// An ext4 file system that is read and never written to: libext2fs finds superblock, inodes, extents
/// and attributes; folders and contents are read around it.
struct Ext4Reader: ~Copyable {
  private let fs: ext2_filsys
  private let path: String
  let descriptor: CInt

  private init(adopting fs: ext2_filsys, path: String, descriptor: CInt) {
    self.fs = fs
    self.path = path
    self.descriptor = descriptor
  }

  /// - Parameter descriptor: of the image's file, open for reading; must stay open.
  static func open(_ descriptor: CInt, path: String) throws(ImagingFailure) -> Ext4Reader {
    var opened: ext2_filsys?
    let code = ext2fs_open2(
      "\(descriptor)", nil, EXT2_FLAG_64BITS, 0, 0, cext2fs_manager(), &opened)
    guard code == 0, let opened else {
      throw .cannotRead(path: path, operation: "read the file system of", reason: text(of: code))
    }
    return Ext4Reader(adopting: opened, path: path, descriptor: descriptor)
  }

  var blockSize: Int { Int(fs.pointee.blocksize) }

  /// What the superblock and the group descriptors say.
  func facts() -> VolumeFacts {
    guard let superblock = fs.pointee.super else { preconditionFailure("it is open") }
    let uuid = withUnsafeBytes(of: superblock.pointee.s_uuid) { Array($0) }
    let label = withUnsafeBytes(of: superblock.pointee.s_volume_name) { $0.prefix { $0 != 0 } }
    let groups = fs.pointee.group_desc_count
    let unzeroed = (0..<groups).count {
      ext2fs_bg_flags_test(fs, $0, UInt16(EXT2_BG_INODE_ZEROED)) == 0
    }
    return VolumeFacts(
      uuid: uuid, label: String(decoding: label, as: UTF8.self), blockSize: blockSize,
      blockCount: Int64(ext2fs_blocks_count(superblock)),
      freeBlocks: Int64(ext2fs_free_blocks_count(superblock)),
      reservedBlocks: Int64(ext2fs_r_blocks_count(superblock)),
      inodeSize: Int(superblock.pointee.s_inode_size),
      inodeCount: Int(superblock.pointee.s_inodes_count),
      freeInodes: Int(superblock.pointee.s_free_inodes_count), groups: Int(groups),
      groupsToZero: unzeroed, mounts: Int(superblock.pointee.s_mnt_count),
      needsRecovery: superblock.pointee.s_feature_incompat
        & UInt32(EXT3_FEATURE_INCOMPAT_RECOVER) != 0,
      hasInlineData: superblock.pointee.s_feature_incompat
        & UInt32(EXT4_FEATURE_INCOMPAT_INLINE_DATA) != 0)
  }

  /// Calls `body` with each inode in use and its whole record.
  func forEachInode(
    _ body: (UInt32, UnsafeRawBufferPointer) throws(ImagingFailure) -> Void
  ) throws(ImagingFailure) {
    var scan: ext2_inode_scan?
    try check(ext2fs_open_inode_scan(fs, 64, &scan), "list the inodes of")
    defer { ext2fs_close_inode_scan(scan) }
    let size = max(Int(fs.pointee.super.pointee.s_inode_size), 256)
    let record = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 8)
    defer { record.deallocate() }
    while true {
      var number: ext2_ino_t = 0
      record.zero()
      try check(
        ext2fs_get_next_inode_full(
          scan, &number, record.assumingMemoryBound(to: ext2_inode.self).baseAddress, CInt(size)),
        "read the inodes of")
      guard number != 0 else { return }
      // Without a link it is free, or the file system's own.
      guard record.loadUnaligned(fromByteOffset: 26, as: UInt16.self).littleEndian != 0
      else { continue }
      try body(number, UnsafeRawBufferPointer(record))
    }
  }

  /// The blocks of a file or folder, ascending; those not written to yet are left out.
  func extents(
    of inode: UInt32, record: UnsafeRawBufferPointer
  ) throws(ImagingFailure) -> [Extent] {
    let flags = record.loadUnaligned(fromByteOffset: 32, as: UInt32.self).littleEndian
    guard flags & UInt32(EXT4_EXTENTS_FL) != 0 else { return try mappedBlocks(of: inode) }
    let depth = record.loadUnaligned(fromByteOffset: 46, as: UInt16.self).littleEndian
    let count = record.loadUnaligned(fromByteOffset: 42, as: UInt16.self).littleEndian
    guard depth == 0, count <= 4 else { return try extentTree(of: inode) }
    return (0..<Int(count)).compactMap { index in
      let at = 52 + index * 12
      let length = record.loadUnaligned(fromByteOffset: at + 4, as: UInt16.self).littleEndian
      let high = record.loadUnaligned(fromByteOffset: at + 6, as: UInt16.self).littleEndian
      let low = record.loadUnaligned(fromByteOffset: at + 8, as: UInt32.self).littleEndian
      guard length <= 32768 else { return nil }
      return Extent(
        logical: record.loadUnaligned(fromByteOffset: at, as: UInt32.self).littleEndian,
        count: UInt32(length), physical: UInt64(high) << 32 | UInt64(low))
    }
  }

  private func extentTree(of inode: UInt32) throws(ImagingFailure) -> [Extent] {
    var handle: ext2_extent_handle_t?
    try check(ext2fs_extent_open2(fs, inode, nil, &handle), "read the extents of")
    defer { ext2fs_extent_free(handle) }
    var extents: [Extent] = []
    var extent = ext2fs_extent()
    var move = EXT2_EXTENT_ROOT
    while true {
      let code = ext2fs_extent_get(handle, move, &extent)
      if code == EXT2_ET_EXTENT_NO_NEXT || code == EXT2_ET_NO_CURRENT_NODE { break }
      try check(code, "read the extents of")
      move = EXT2_EXTENT_NEXT
      guard extent.e_flags & UInt32(EXT2_EXTENT_FLAGS_LEAF) != 0,
        extent.e_flags & UInt32(EXT2_EXTENT_FLAGS_UNINIT) == 0
      else { continue }
      extents.append(
        Extent(
          logical: UInt32(truncatingIfNeeded: extent.e_lblk), count: extent.e_len,
          physical: extent.e_pblk))
    }
    return extents.sorted { $0.logical < $1.logical }
  }

  /// Blocks by the map of ext2 and ext3.
  private func mappedBlocks(of inode: UInt32) throws(ImagingFailure) -> [Extent] {
    var extents: [Extent] = []
    let code = withUnsafeMutablePointer(to: &extents) { pointer in
      ext2fs_block_iterate3(
        fs, inode, BLOCK_FLAG_READ_ONLY | BLOCK_FLAG_DATA_ONLY, nil,
        { _, block, logical, _, _, context in
          guard let block, let extents = context?.assumingMemoryBound(to: [Extent].self)
          else { return 0 }
          if let last = extents.pointee.last, Int64(last.logical + last.count) == logical,
            last.physical + UInt64(last.count) == block.pointee
          {
            extents.pointee[extents.pointee.count - 1].count += 1
          } else {
            extents.pointee.append(
              Extent(logical: UInt32(logical), count: 1, physical: block.pointee))
          }
          return 0
        }, pointer)
    }
    try check(code, "read the blocks of")
    return extents.sorted { $0.logical < $1.logical }
  }

  /// The attributes of an inode, sorted by name.
  func xattrs(of inode: UInt32) throws(ImagingFailure) -> [Tree.Xattr] {
    var handle: OpaquePointer?
    try check(ext2fs_xattrs_open(fs, inode, &handle), "open the attributes of")
    defer { ext2fs_xattrs_close(&handle) }
    try check(ext2fs_xattrs_read(handle), "read the attributes of")
    var xattrs: [Tree.Xattr] = []
    let code = withUnsafeMutablePointer(to: &xattrs) { pointer in
      ext2fs_xattrs_iterate(
        handle,
        { name, value, count, context in
          guard let name, let xattrs = context?.assumingMemoryBound(to: [Tree.Xattr].self)
          else { return 0 }
          xattrs.pointee.append(
            Tree.Xattr(
              name: Array(String(cString: name).utf8),
              value: Array(UnsafeRawBufferPointer(start: value, count: count))))
          return 0
        }, pointer)
    }
    try check(code, "read the attributes of")
    return xattrs.map(withKernelsIDs).sorted { $0.name.lexicographicallyPrecedes($1.name) }
  }

  private func check(_ code: errcode_t, _ operation: String) throws(ImagingFailure) {
    guard code != 0 else { return }
    throw .cannotRead(path: path, operation: operation, reason: text(of: code))
  }

  deinit { ext2fs_free(fs) }
}

/// What a file system's superblock says. Sizes are bytes unless they are blocks.
public struct VolumeFacts: Sendable, Equatable {
  public var uuid: [UInt8]
  public var label: String
  public var blockSize: Int
  public var blockCount: Int64
  public var freeBlocks: Int64
  /// Of the free ones, those that only root may use.
  public var reservedBlocks: Int64
  public var inodeSize: Int
  public var inodeCount: Int
  public var freeInodes: Int
  public var groups: Int
  /// Groups whose inode tables a kernel would still write zeros to.
  public var groupsToZero: Int
  /// How often it has been mounted.
  public var mounts: Int
  /// Whether its journal waits to be replayed.
  public var needsRecovery: Bool
  public var hasInlineData: Bool
}

private func text(of code: errcode_t) -> String { String(cString: error_message(code)) }

/// ACLs as the kernel shows them, from the short form on the disk: there entries that are for nobody
/// in particular have no id. Source: the kernel's `fs/ext4/acl.h`.
private func withKernelsIDs(_ xattr: Tree.Xattr) -> Tree.Xattr {
  guard String(decoding: xattr.name, as: UTF8.self).hasPrefix("system.posix_acl_"),
    xattr.value.count >= 4
  else { return xattr }
  let isShort = xattr.value[0] == 1
  let (user, group): (UInt8, UInt8) = (2, 8)
  var value: [UInt8] = [2, 0, 0, 0]
  var at = 4
  while at + 4 <= xattr.value.count {
    let hasID = xattr.value[at] == user || xattr.value[at] == group
    value += xattr.value[at..<(at + 4)]
    at += 4
    if hasID || !isShort {
      guard at + 4 <= xattr.value.count else { return xattr }
      value += hasID ? Array(xattr.value[at..<(at + 4)]) : [0xFF, 0xFF, 0xFF, 0xFF]
      at += 4
    } else {
      value += [0xFF, 0xFF, 0xFF, 0xFF]
    }
  }
  return Tree.Xattr(name: xattr.name, value: value)
}
