internal import CExt2FS

/// A file system in the making: libext2fs keeps the superblock, group descriptors and bitmaps.
///
/// The library is not safe to use from two threads; one owner calls it, the data goes around it.
struct Ext4Volume: ~Copyable {
  private let fs: ext2_filsys
  private let path: String

  private init(adopting fs: ext2_filsys, path: String) {
    self.fs = fs
    self.path = path
  }

  /// Lays out an empty file system: superblocks, tables packed at the front, the inode for resizing.
  ///
  /// - Parameters:
  ///   - descriptor: a file of the image's full size; must stay open.
  ///   - path: the image's name in messages.
  static func make(
    on descriptor: CInt, path: String, options: ImageOptions
  ) throws(ImagingFailure) -> Ext4Volume {
    var parameters = ext2_super_block()
    parameters.s_rev_level = UInt32(EXT2_DYNAMIC_REV)
    parameters.s_log_block_size = 2
    parameters.s_log_cluster_size = 2
    parameters.s_inode_size = 256
    parameters.s_min_extra_isize = 32
    parameters.s_want_extra_isize = 32
    parameters.s_log_groups_per_flex = 4
    parameters.s_desc_size = UInt16(EXT2_MIN_DESC_SIZE_64BIT)
    parameters.s_feature_compat = UInt32(
      EXT2_FEATURE_COMPAT_EXT_ATTR | EXT2_FEATURE_COMPAT_DIR_INDEX
        | EXT2_FEATURE_COMPAT_RESIZE_INODE)
    parameters.s_feature_incompat = UInt32(
      EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS
        | EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_FLEX_BG)
    parameters.s_feature_ro_compat = UInt32(
      EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE
        | EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_DIR_NLINK
        | EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE | EXT4_FEATURE_RO_COMPAT_METADATA_CSUM)
    let blocks = UInt64(options.size) / UInt64(blockSize)
    ext2fs_blocks_count_set(&parameters, blocks)
    let bytesPerInode = options.size < 512 << 20 ? 4096 : 16384
    parameters.s_inodes_count = UInt32(
      clamping: options.inodeCount.map { $0 + 10 } ?? Int(options.size) / bytesPerInode)

    var made: ext2_filsys?
    let code = ext2fs_initialize(
      "\(descriptor)", EXT2_FLAG_64BITS | EXT2_FLAG_RW, &parameters, cext2fs_manager(), &made)
    guard code == 0, let made else {
      throw .cannotWrite(path: path, operation: "lay out", reason: text(of: code))
    }
    let volume = Ext4Volume(adopting: made, path: path)
    volume.name(by: options)
    try volume.allocateTables()
    for inode in 1..<11 {
      volume.claim(inode: UInt32(inode), isDirectory: inode == EXT2_ROOT_INO)
    }
    try volume.check(ext2fs_create_resize_inode(made), "make the resize inode of")
    return volume
  }

  /// Fixes everything that the library would take from the clock or from chance.
  private func name(by options: ImageOptions) {
    // 0 would mean: ask the clock.
    let time = max(options.epoch, 1)
    fs.pointee.now = time_t(time)
    guard let superblock = fs.pointee.super else { return }
    superblock.pointee.s_mkfs_time = time
    superblock.pointee.s_lastcheck = time
    superblock.pointee.s_wtime = time
    superblock.pointee.s_max_mnt_count = -1
    superblock.pointee.s_checkinterval = 0
    superblock.pointee.s_def_hash_version = UInt8(EXT2_HASH_HALF_MD4)
    superblock.pointee.s_checksum_type = UInt8(EXT2_CRC32C_CHKSUM)
    superblock.pointee.s_flags = UInt32(EXT2_FLAGS_SIGNED_HASH)
    superblock.pointee.s_default_mount_opts = UInt32(EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL)
    withUnsafeMutableBytes(of: &superblock.pointee.s_uuid) {
      $0.copyBytes(from: options.uuid.bytes)
    }
    withUnsafeMutableBytes(of: &superblock.pointee.s_hash_seed) {
      $0.copyBytes(from: options.hashSeed.bytes)
    }
    withUnsafeMutableBytes(of: &superblock.pointee.s_volume_name) {
      $0.copyBytes(from: options.label.utf8.prefix(16))
    }
    ext2fs_init_csum_seed(fs)
  }

  /// Puts all bitmaps and then all inode tables together at the front, so that file data behind them
  /// is contiguous. No table needs zeroing by the guest: a fresh file is zero.
  private func allocateTables() throws(ImagingFailure) {
    let groups = fs.pointee.group_desc_count
    var goal: blk64_t = 0
    for group in 0..<groups {
      try check(ext2fs_new_block2(fs, goal, nil, &goal), "place a bitmap in")
      ext2fs_block_alloc_stats2(fs, goal, 1)
      ext2fs_block_bitmap_loc_set(fs, group, goal)
    }
    for group in 0..<groups {
      try check(ext2fs_new_block2(fs, goal, nil, &goal), "place a bitmap in")
      ext2fs_block_alloc_stats2(fs, goal, 1)
      ext2fs_inode_bitmap_loc_set(fs, group, goal)
    }
    let length = CInt(fs.pointee.inode_blocks_per_group)
    let last = ext2fs_blocks_count(fs.pointee.super) - 1
    for group in 0..<groups {
      try check(
        ext2fs_get_free_blocks2(fs, goal, last, length, fs.pointee.block_map, &goal),
        "place an inode table in")
      ext2fs_block_alloc_stats_range(fs, goal, blk_t(length), 1)
      ext2fs_inode_table_loc_set(fs, group, goal)
      ext2fs_bg_flags_set(fs, group, UInt16(EXT2_BG_INODE_ZEROED))
      ext2fs_group_desc_csum_set(fs, group)
    }
  }

  /// What is free now and where the tables are.
  func geometry() -> Geometry {
    let superblock = fs.pointee.super.pointee
    let count = ext2fs_blocks_count(fs.pointee.super)
    var free = [Range<UInt64>]()
    var (start, end): (blk64_t, blk64_t) = (0, 0)
    while end < count,
      ext2fs_find_first_zero_block_bitmap2(fs.pointee.block_map, end, count - 1, &start) == 0
    {
      if ext2fs_find_first_set_block_bitmap2(fs.pointee.block_map, start, count - 1, &end) != 0 {
        end = count
      }
      free.append(start..<end)
    }
    return Geometry(
      blockCount: count, inodesPerGroup: superblock.s_inodes_per_group,
      inodeCount: superblock.s_inodes_count,
      inodeTables: (0..<fs.pointee.group_desc_count).map { ext2fs_inode_table_loc(fs, $0) },
      free: free, checksumSeed: fs.pointee.csum_seed,
      hashSeed: [
        superblock.s_hash_seed.0, superblock.s_hash_seed.1, superblock.s_hash_seed.2,
        superblock.s_hash_seed.3,
      ])
  }

  /// The record of inode 7, by which the group descriptors can grow.
  func resizeInode() throws(ImagingFailure) -> [UInt8] {
    var record = [UInt8](repeating: 0, count: 256)
    let code = record.withUnsafeMutableBytes { bytes in
      ext2fs_read_inode_full(
        fs, ext2_ino_t(EXT2_RESIZE_INO), bytes.assumingMemoryBound(to: ext2_inode.self).baseAddress,
        CInt(bytes.count))
    }
    try check(code, "read the resize inode of")
    return record
  }

  /// Marks blocks as used.
  func claim(_ extents: some Sequence<Extent>) {
    for extent in extents {
      ext2fs_block_alloc_stats_range(fs, extent.physical, extent.count, 1)
    }
  }

  /// Marks an inode as used.
  func claim(inode: UInt32, isDirectory: Bool) {
    ext2fs_inode_alloc_stats2(fs, inode, 1, isDirectory ? 1 : 0)
  }

  /// Declares inode 8 to be the journal.
  ///
  /// - Parameters:
  ///   - map: the 60 bytes of the inode that say where its blocks are; the superblock keeps a copy.
  ///   - blocks: how many blocks the journal has.
  /// - Returns: the journal's first block.
  func addJournal(map: [UInt8], blocks: Int) throws(ImagingFailure) -> [UInt8] {
    var start: UnsafeMutablePointer<CChar>?
    try check(
      ext2fs_create_journal_superblock(fs, UInt32(blocks), 0, &start), "make the journal of")
    defer { if let start { free(start) } }
    guard let start, let superblock = fs.pointee.super else { return [] }
    superblock.pointee.s_feature_compat |= UInt32(EXT3_FEATURE_COMPAT_HAS_JOURNAL)
    superblock.pointee.s_journal_inum = UInt32(EXT2_JOURNAL_INO)
    superblock.pointee.s_journal_dev = 0
    superblock.pointee.s_jnl_backup_type = UInt8(EXT3_JNL_BACKUP_BLOCKS)
    withUnsafeMutableBytes(of: &superblock.pointee.s_jnl_blocks) { copy in
      copy.zero()
      copy.put(map, at: 0)
      copy.put(UInt32(blocks * blockSize), at: 64)
    }
    return Array(UnsafeRawBufferPointer(start: start, count: blockSize))
  }

  /// Writes superblocks, group descriptors and bitmaps; returns free blocks and free inodes.
  func finish() throws(ImagingFailure) -> (freeBlocks: Int64, freeInodes: Int) {
    ext2fs_set_gdt_csum(fs)
    fs.pointee.flags |= EXT2_FLAG_DIRTY | EXT2_FLAG_BB_DIRTY | EXT2_FLAG_IB_DIRTY
    try check(ext2fs_write_bitmaps(fs), "write the bitmaps of")
    try check(ext2fs_flush2(fs, EXT2_FLAG_FLUSH_NO_SYNC), "write the superblock of")
    return (
      Int64(ext2fs_free_blocks_count(fs.pointee.super)),
      Int(fs.pointee.super.pointee.s_free_inodes_count)
    )
  }

  private func check(_ code: errcode_t, _ operation: String) throws(ImagingFailure) {
    guard code != 0 else { return }
    throw .cannotWrite(path: path, operation: operation, reason: text(of: code))
  }

  deinit { ext2fs_free(fs) }
}

/// CRC-32C of bytes, going on from `seed`, as ext4 uses it (no final inversion).
func checksum(_ seed: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
  ext2fs_crc32c_le(seed, bytes.assumingMemoryBound(to: UInt8.self).baseAddress, bytes.count)
}

/// The hash by which an indexed folder is ordered, and the second one that orders equals.
func nameHash(_ name: UnsafeRawBufferPointer, seed: [UInt32]) -> (hash: UInt32, minor: UInt32) {
  var (hash, minor): (ext2_dirhash_t, ext2_dirhash_t) = (0, 0)
  // Cannot fail: the version is one that the library knows.
  ext2fs_dirhash(
    EXT2_HASH_HALF_MD4, name.assumingMemoryBound(to: CChar.self).baseAddress, CInt(name.count),
    seed, &hash, &minor)
  return (hash, minor)
}

private func text(of code: errcode_t) -> String { String(cString: error_message(code)) }
