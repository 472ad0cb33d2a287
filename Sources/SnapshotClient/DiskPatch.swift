internal import CExt2FS
internal import Glibc
internal import SystemPackage

/// What files of its own change in a machine's disk: whole pages, by their number.
struct DiskPatch: Equatable {
  static let pageSize = 4096
  var pages: [Int: [UInt8]] = [:]
}

/// Finds out what files would change in an ext4 image, which is only read.
///
/// - Parameters:
///   - size: of the image in bytes.
///   - time: of the files, in seconds since 1970.
func patch(
  of image: FileDescriptor, size: Int, adding files: [InjectedFile], time: Int
) throws(InjectionFailure) -> DiskPatch {
  guard !files.isEmpty else { return DiskPatch() }
  let volume = try PatchedVolume.open(image, size: size, time: time)
  for file in files { try volume.put(file) }
  return try volume.close()
}

/// An ext4 file system whose changes stay in memory.
private struct PatchedVolume: ~Copyable {
  private let fs: ext2_filsys
  private let memory: UnsafeMutablePointer<cext2fs_patch>
  private let time: Int

  private init(fs: ext2_filsys, memory: UnsafeMutablePointer<cext2fs_patch>, time: Int) {
    self.fs = fs
    self.memory = memory
    self.time = time
  }

  static func open(
    _ image: FileDescriptor, size: Int, time: Int
  ) throws(InjectionFailure) -> PatchedVolume {
    let memory = UnsafeMutablePointer<cext2fs_patch>.allocate(capacity: 1)
    let count = (size + DiskPatch.pageSize - 1) / DiskPatch.pageSize
    let pages = UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>.allocate(capacity: count)
    pages.initialize(repeating: nil, count: count)
    memory.initialize(
      to: cext2fs_patch(base: image.rawValue, page_count: UInt(count), pages: pages))
    var opened: ext2_filsys?
    let code = ext2fs_open2(
      "\(Int(bitPattern: memory))", nil, EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0,
      cext2fs_patch_manager(), &opened)
    guard code == 0, let opened else {
      free(memory)
      throw .failed(path: "/", operation: "open", reason: text(of: code))
    }
    // The copies of the superblock stay as they are: nobody reads them before the machine writes its own.
    opened.pointee.flags |= EXT2_FLAG_MASTER_SB_ONLY
    opened.pointee.umask = 0o022
    opened.pointee.now = time_t(time)
    let volume = PatchedVolume(fs: opened, memory: memory, time: time)
    try volume.check(ext2fs_read_bitmaps(opened), "read the maps of", "/")
    return volume
  }

  deinit {
    ext2fs_free(fs)
    Self.free(memory)
  }

  private static func free(_ memory: UnsafeMutablePointer<cext2fs_patch>) {
    let patch = memory.pointee
    for page in 0..<Int(patch.page_count) { Glibc.free(patch.pages[page]) }
    patch.pages.deallocate()
    memory.deallocate()
  }

  /// What has changed, in the end.
  consuming func close() throws(InjectionFailure) -> DiskPatch {
    try check(ext2fs_flush(fs), "write", "/")
    var patch = DiskPatch()
    for page in 0..<Int(memory.pointee.page_count) {
      guard let bytes = memory.pointee.pages[page] else { continue }
      patch.pages[page] = Array(UnsafeBufferPointer(start: bytes, count: DiskPatch.pageSize))
    }
    return patch
  }

  func put(_ file: InjectedFile) throws(InjectionFailure) {
    guard let parts = file.parts, let name = parts.last else { throw .badPath(file.path) }
    var folder = ext2_ino_t(EXT2_ROOT_INO)
    for part in parts.dropLast() { folder = try self.folder(part, in: folder, file.path) }
    try remove(name, from: folder, file.path)
    let inode = try makeInode(file, in: folder)
    try inFolder(folder, "name", file.path) {
      ext2fs_link(fs, folder, name, inode, EXT2_FT_REG_FILE)
    }
  }

  /// A folder below another, links followed; made where it is missing.
  private func folder(
    _ name: String, in parent: ext2_ino_t, _ path: String
  ) throws(InjectionFailure) -> ext2_ino_t {
    var found: ext2_ino_t = 0
    let root = ext2_ino_t(EXT2_ROOT_INO)
    var code = ext2fs_namei_follow(fs, root, parent, name, &found)
    if code == EXT2_ET_FILE_NOT_FOUND {
      try inFolder(parent, "make the folder of", path) { ext2fs_mkdir(fs, parent, 0, name) }
      code = ext2fs_lookup(fs, parent, name, CInt(name.utf8.count), nil, &found)
    }
    try check(code, "find the folder of", path)
    try check(ext2fs_check_directory(fs, found), "find the folder of", path)
    return found
  }

  /// Does something that adds a name to a folder, which grows where it is full.
  private func inFolder(
    _ folder: ext2_ino_t, _ operation: String, _ path: String, _ body: () -> errcode_t
  ) throws(InjectionFailure) {
    var code = body()
    if code == EXT2_ET_DIR_NO_SPACE {
      try check(ext2fs_expand_dir(fs, folder), operation, path)
      code = body()
    }
    try check(code, operation, path)
  }

  /// Takes a name away, and with its last name the file.
  private func remove(
    _ name: String, from folder: ext2_ino_t, _ path: String
  ) throws(InjectionFailure) {
    var number: ext2_ino_t = 0
    let code = ext2fs_lookup(fs, folder, name, CInt(name.utf8.count), nil, &number)
    if code == EXT2_ET_FILE_NOT_FOUND { return }
    try check(code, "look for", path)
    var inode = ext2_inode()
    try check(ext2fs_read_inode(fs, number, &inode), "read", path)
    guard inode.i_mode & 0o170000 != 0o040000 else { throw .isFolder(path) }
    try check(ext2fs_unlink(fs, folder, name, number, 0), "replace", path)
    inode.i_links_count -= 1
    if inode.i_links_count == 0 {
      if ext2fs_inode_has_valid_blocks2(fs, &inode) != 0 {
        try check(ext2fs_punch(fs, number, &inode, nil, 0, UInt64.max), "replace", path)
      }
      ext2fs_inode_alloc_stats2(fs, number, -1, 0)
      inode.i_dtime = UInt32(truncatingIfNeeded: time)
    }
    try check(ext2fs_write_inode(fs, number, &inode), "replace", path)
  }

  private func makeInode(
    _ file: InjectedFile, in folder: ext2_ino_t
  ) throws(InjectionFailure) -> ext2_ino_t {
    let path = file.path
    var number: ext2_ino_t = 0
    let mode = 0o100000 | file.mode & 0o7777
    try check(ext2fs_new_inode(fs, folder, CInt(mode), nil, &number), "make", path)
    ext2fs_inode_alloc_stats2(fs, number, 1, 0)
    var inode = ext2_inode()
    inode.i_mode = mode
    inode.i_links_count = 1
    inode.i_uid = UInt16(truncatingIfNeeded: file.owner)
    inode.osd2.linux2.l_i_uid_high = UInt16(truncatingIfNeeded: file.owner >> 16)
    inode.i_gid = UInt16(truncatingIfNeeded: file.group)
    inode.osd2.linux2.l_i_gid_high = UInt16(truncatingIfNeeded: file.group >> 16)
    inode.i_mtime = UInt32(truncatingIfNeeded: time)
    (inode.i_atime, inode.i_ctime) = (inode.i_mtime, inode.i_mtime)
    // An inode without blocks that is opened for extents becomes one with an empty tree of them.
    var extents: ext2_extent_handle_t?
    try check(ext2fs_extent_open2(fs, number, &inode, &extents), "make", path)
    ext2fs_extent_free(extents)
    try check(ext2fs_write_new_inode(fs, number, &inode), "make", path)
    var handle: ext2_file_t?
    try check(ext2fs_file_open(fs, number, EXT2_FILE_WRITE, &handle), "make", path)
    var written: UInt32 = 0
    let code = file.content.withUnsafeBytes { bytes in
      bytes.isEmpty
        ? 0 : ext2fs_file_write(handle, bytes.baseAddress, UInt32(bytes.count), &written)
    }
    let closing = ext2fs_file_close(handle)
    try check(code, "write", path)
    try check(closing, "write", path)
    return number
  }

  private func check(
    _ code: errcode_t, _ operation: String, _ path: String
  ) throws(InjectionFailure) {
    guard code == 0 else {
      throw .failed(path: path, operation: operation, reason: text(of: code))
    }
  }
}

private func text(of code: errcode_t) -> String { String(cString: error_message(code)) }
