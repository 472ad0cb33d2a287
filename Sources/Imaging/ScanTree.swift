internal import CLinux
public import Model
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Reads a folder of the host as a tree, without reading the content of its files.
///
/// Links are not followed; file systems mounted inside are part of the tree. Holes of files are found
/// by asking the file system. The order in which it lists names does not matter.
///
/// - Parameter isCancelled: asked for each folder.
/// - Throws: `ImagingFailure` or `CancellationError`.
public func scanTree(
  of folder: FilePath, isCancelled: () -> Bool = { Task.isCancelled }
) throws -> Tree {
  let descriptor = open(folder.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0 else {
    throw ImagingFailure.cannotRead(path: folder.string, operation: "open", reason: lastError())
  }
  let root = OpenFile(descriptor, name: folder.string) { close($0) }
  var status = stat()
  guard fstat(descriptor, &status) == 0 else {
    throw ImagingFailure.cannotRead(path: folder.string, operation: "examine", reason: lastError())
  }
  var scan = TreeScan(root: root, path: Array(folder.string.utf8))
  try scan.add([], status, in: descriptor, name: [])
  try withoutActuallyEscaping(isCancelled) { isCancelled in
    try scan.list(descriptor, path: [], isCancelled: isCancelled)
  }
  return Tree(entries: scan.entries, nodes: scan.nodes)
}

/// A path in a folder. It takes the room that it needs and no more: a tree keeps all of them.
private func joined(_ folder: [UInt8], _ name: [UInt8]) -> [UInt8] {
  if folder.isEmpty { return name }
  var path = [UInt8]()
  path.reserveCapacity(folder.count + 1 + name.count)
  path += folder
  path.append(UInt8(ascii: "/"))
  path += name
  return path
}

private struct TreeScan {
  private struct Identity: Hashable {
    var device: UInt64
    var inode: UInt64
  }

  let root: OpenFile
  /// The host's path of the root.
  let path: [UInt8]
  var entries: [Tree.Entry] = []
  var nodes: [Tree.Node] = []
  /// Nodes with several names, by device and inode.
  private var shared: [Identity: Int] = [:]

  init(root: OpenFile, path: [UInt8]) {
    self.root = root
    self.path = path
  }

  /// Adds all below an open folder.
  mutating func list(
    _ folder: CInt, path: [UInt8], isCancelled: () -> Bool
  ) throws {
    if isCancelled() { throw CancellationError() }
    for name in try names(in: folder, path: path).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      let child = joined(path, name)
      var status = stat()
      let code = withCString(name) { fstatat(folder, $0, &status, AT_SYMLINK_NOFOLLOW) }
      guard code == 0 else { throw failure("examine", child) }
      try add(child, status, in: folder, name: name)
      guard status.st_mode & S_IFMT == S_IFDIR else { continue }
      let inner = withCString(name) {
        openat(folder, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      }
      guard inner >= 0 else { throw failure("open", child) }
      defer { close(inner) }
      try list(inner, path: child, isCancelled: isCancelled)
    }
  }

  private func names(in folder: CInt, path: [UInt8]) throws(ImagingFailure) -> [[UInt8]] {
    // The stream closes its descriptor; ours stays open for the children.
    let copy = fcntl(folder, F_DUPFD_CLOEXEC, 0)
    guard copy >= 0, let stream = fdopendir(copy) else { throw failure("list", path) }
    defer { closedir(stream) }
    rewinddir(stream)
    var names = [[UInt8]]()
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        guard errno == 0 else { throw failure("list", path) }
        return names
      }
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { field in
        Array(field.prefix { $0 != 0 })
      }
      if name != [0x2E], name != [0x2E, 0x2E] { names.append(name) }
    }
  }

  /// Adds one name and, unless another name of it came before, its node.
  mutating func add(
    _ path: [UInt8], _ status: stat, in folder: CInt, name: [UInt8]
  ) throws(ImagingFailure) {
    let isFolder = status.st_mode & S_IFMT == S_IFDIR
    let identity = Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    if !isFolder, status.st_nlink > 1, let node = shared[identity] {
      entries.append(Tree.Entry(path: path, node: node))
      return
    }
    let xattrs = try xattrs(path)
    let node = Tree.Node(
      kind: try kind(path, status, in: folder, name: name, hasXattrs: !xattrs.isEmpty),
      mode: UInt16(status.st_mode & 0o7777), uid: status.st_uid, gid: status.st_gid,
      modified: Tree.Time(
        seconds: Int64(status.st_mtim.tv_sec), nanoseconds: UInt32(status.st_mtim.tv_nsec)),
      xattrs: xattrs)
    if !isFolder, status.st_nlink > 1 { shared[identity] = nodes.count }
    entries.append(Tree.Entry(path: path, node: nodes.count))
    nodes.append(node)
  }

  private func kind(
    _ path: [UInt8], _ status: stat, in folder: CInt, name: [UInt8], hasXattrs: Bool
  ) throws(ImagingFailure) -> Tree.Kind {
    let device = status.st_rdev
    let major = UInt32(device >> 8 & 0xFFF | device >> 32 & 0xFFFF_F000)
    let minor = UInt32(device & 0xFF | device >> 12 & 0xFFFF_FF00)
    switch status.st_mode & S_IFMT {
    case S_IFDIR: return .directory
    case S_IFREG:
      let size = Int64(status.st_size)
      return .file(
        Tree.File(
          size: size, origin: .path(path, in: root),
          data: try dataRanges(
            path, status, in: folder, name: name, hasXattrs: hasXattrs)))
    case S_IFLNK:
      return .symlink(target: try target(path, in: folder, name: name))
    case S_IFCHR: return .characterDevice(major: major, minor: minor)
    case S_IFBLK: return .blockDevice(major: major, minor: minor)
    case S_IFIFO: return .fifo
    default: return .socket
    }
  }

  private func target(
    _ path: [UInt8], in folder: CInt, name: [UInt8]
  ) throws(ImagingFailure) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = withCString(name) { name in
      buffer.withUnsafeMutableBytes { bytes in
        guard let start = bytes.assumingMemoryBound(to: CChar.self).baseAddress else { return -1 }
        return readlinkat(folder, name, start, bytes.count)
      }
    }
    guard count >= 0 else { throw failure("read", path) }
    return Array(buffer[..<count])
  }

  /// Where a file has data; nil without holes.
  ///
  /// A small file that takes just the room of its content, and has no attributes that could take the
  /// room of a hole, is not asked about.
  private func dataRanges(
    _ path: [UInt8], _ status: stat, in folder: CInt, name: [UInt8], hasXattrs: Bool
  ) throws(ImagingFailure) -> [Range<Int64>]? {
    let size = status.st_size
    let isPlain = Int(status.st_blocks) * 512 == (size + 4095) & ~4095
    if size == 0 || isPlain && !hasXattrs && size < 128 << 10 { return nil }
    let file = withCString(name) {
      openat(folder, $0, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
    }
    guard file >= 0 else { throw failure("open", path) }
    defer { close(file) }
    var ranges = [Range<Int64>]()
    var position: off_t = 0
    while position < size {
      let start = lseek(file, position, CInt(clinux_seek_data))
      if start < 0 {
        if errno == ENXIO { break }
        // The file system does not know about holes.
        if errno == EINVAL { return nil }
        throw failure("find the holes of", path)
      }
      let end = lseek(file, start, CInt(clinux_seek_hole))
      guard end > start else { throw failure("find the holes of", path) }
      ranges.append(Int64(start)..<Int64(min(end, size)))
      position = end
    }
    return ranges == [0..<Int64(size)] ? nil : ranges
  }

  private func xattrs(_ path: [UInt8]) throws(ImagingFailure) -> [Tree.Xattr] {
    let full = path.isEmpty ? self.path : self.path + [UInt8(ascii: "/")] + path
    let names = try value(path, "list the attributes of") { buffer, size in
      withCString(full) { llistxattr($0, buffer, size) }
    }
    if names.isEmpty { return [] }
    var list = [Tree.Xattr]()
    for name in names.split(separator: 0) {
      let bytes = try value(path, "read the attributes of") { buffer, size in
        withCString(full) { full in
          withCString(Array(name)) { lgetxattr(full, $0, buffer, size) }
        }
      }
      list.append(Tree.Xattr(name: Array(name), value: bytes))
    }
    return list.sorted { $0.name.lexicographicallyPrecedes($1.name) }
  }

  /// Asks for a size, then for the bytes.
  private func value(
    _ path: [UInt8], _ operation: String,
    _ ask: (UnsafeMutablePointer<CChar>?, Int) -> Int
  ) throws(ImagingFailure) -> [UInt8] {
    let size = ask(nil, 0)
    if size == 0 { return [] }
    if size < 0 {
      if errno == EOPNOTSUPP { return [] }
      throw failure(operation, path)
    }
    var buffer = [UInt8](repeating: 0, count: size)
    let count = buffer.withUnsafeMutableBytes {
      ask($0.assumingMemoryBound(to: CChar.self).baseAddress, size)
    }
    guard count >= 0 else { throw failure(operation, path) }
    return Array(buffer[..<count])
  }

  private func failure(_ operation: String, _ path: [UInt8]) -> ImagingFailure {
    .cannotRead(
      path: root.name + (path.isEmpty ? "" : shown(path)), operation: operation,
      reason: lastError())
  }
}
