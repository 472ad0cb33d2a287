internal import Content
public import Model
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Reads a tar as a tree: pax, GNU or old, with holes, links, attributes and ACLs, plain or compressed.
///
/// An uncompressed tar keeps its content where it is and must not change until the image is written.
/// From a compressed one the content of files goes to a temporary file without a name.
///
/// - Parameters:
///   - epoch: the time of folders that the tar does not name itself; they get mode 0755 and root.
///   - scratch: the folder for the temporary file.
///   - isCancelled: asked for each member.
/// - Throws: `ImagingFailure` for a member that has no place in the tree, `ArchiveFailure`, or
///   `CancellationError`.
///
/// A later member replaces an earlier one of the same path.
public func scanTar(
  _ path: FilePath, epoch: UInt32, scratch: FilePath, isCancelled: () -> Bool = { Task.isCancelled }
) throws -> Tree {
  let descriptor = open(path.string, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else {
    throw ImagingFailure.cannotRead(path: path.string, operation: "open", reason: lastError())
  }
  let file = OpenFile(descriptor, name: path.string) { close($0) }
  return try scanTar(file, epoch: epoch, scratch: scratch, isCancelled: isCancelled)
}

/// Reads a tar from where an open file or a pipe stands; see `scanTar(_:epoch:scratch:isCancelled:)`.
///
/// - Parameter name: what the tar is called in messages.
public func scanTar(
  from descriptor: FileDescriptor, name: String, epoch: UInt32, scratch: FilePath,
  isCancelled: () -> Bool = { Task.isCancelled }
) throws -> Tree {
  // The tree may outlive the caller's descriptor.
  let copy = try descriptor.duplicate()
  let file = OpenFile(copy.rawValue, name: name) { close($0) }
  return try scanTar(file, epoch: epoch, scratch: scratch, isCancelled: isCancelled)
}

private func scanTar(
  _ file: OpenFile, epoch: UInt32, scratch: FilePath, isCancelled: () -> Bool
) throws -> Tree {
  // A pipe has no position, and no content can be read from it later.
  let start = Int64(lseek(file.descriptor, 0, SEEK_CUR))
  var reader = try ArchiveReader.open(
    FileDescriptor(rawValue: file.descriptor), name: file.name)
  var members = TarMembers(archive: file.name, epoch: epoch)
  var spool = Spool(folder: scratch)
  while let entry = try reader.next() {
    if isCancelled() { throw CancellationError() }
    var content = Tree.File(size: 0, origin: .inline([]))
    if case .file = entry.kind {
      if start >= 0, reader.isPlainTar, entry.sparse == nil, let size = entry.size {
        content.size = size
        content.origin = .part(of: file, offset: start + entry.dataOffset)
      } else {
        content = try spool.take(entry, from: &reader)
      }
    }
    try members.add(entry, content: content)
  }
  guard reader.hasEndMarker else {
    throw ArchiveFailure.unreadable(
      archive: file.name, member: nil, reason: "it is cut off: its end marker is missing")
  }
  return members.tree()
}

/// The members of a tar by their place in the tree.
private struct TarMembers {
  private let archive: String
  private let epoch: UInt32
  private var places: [[UInt8]: Int] = [[]: 0]
  private var nodes: [Tree.Node]

  init(archive: String, epoch: UInt32) {
    self.archive = archive
    self.epoch = epoch
    nodes = [Self.folder(epoch)]
  }

  private static func folder(_ epoch: UInt32) -> Tree.Node {
    Tree.Node(kind: .directory, mode: 0o755, modified: Tree.Time(seconds: Int64(epoch)))
  }

  func tree() -> Tree {
    Tree(entries: places.map { Tree.Entry(path: $0.key, node: $0.value) }, nodes: nodes)
  }

  /// - Parameter content: what a regular file holds.
  mutating func add(_ entry: ArchiveEntry, content: Tree.File) throws(ImagingFailure) {
    let path = try place(entry.path, of: entry)
    try makeFolders(above: path, for: entry)
    let isFolder = entry.kind == .directory
    if let old = places[path], nodes[old].kind == .directory {
      if isFolder {
        nodes[old] = node(entry, kind: .directory)
        return
      }
      let prefix = path + [UInt8(ascii: "/")]
      guard !path.isEmpty, !places.keys.contains(where: { $0.starts(with: prefix) }) else {
        throw refusal(entry, "it would replace a folder that is not empty")
      }
    }
    let kind: Tree.Kind
    switch entry.kind {
    case .hardlink(let target):
      guard let node = places[try place(target, of: entry)], nodes[node].kind != .directory else {
        let target = String(decoding: target, as: UTF8.self)
        throw refusal(entry, "it is a hard link to '\(target)', which no earlier member made")
      }
      places[path] = node
      return
    case .file: kind = .file(content)
    case .directory: kind = .directory
    case .symlink(let target): kind = .symlink(target: target)
    case .characterDevice(let major, let minor):
      kind = .characterDevice(major: major, minor: minor)
    case .blockDevice(let major, let minor): kind = .blockDevice(major: major, minor: minor)
    case .fifo: kind = .fifo
    case .socket: kind = .socket
    }
    places[path] = nodes.count
    nodes.append(node(entry, kind: kind))
  }

  private func node(_ entry: ArchiveEntry, kind: Tree.Kind) -> Tree.Node {
    Tree.Node(
      kind: kind, mode: entry.mode, uid: entry.uid, gid: entry.gid,
      modified: Tree.Time(
        seconds: entry.modified, nanoseconds: entry.modifiedNanoseconds),
      xattrs: entry.xattrs)
  }

  /// Makes folders that the tar did not name; refuses to go through anything else.
  private mutating func makeFolders(
    above path: [UInt8], for entry: ArchiveEntry
  ) throws(ImagingFailure) {
    for (index, byte) in path.enumerated() where byte == UInt8(ascii: "/") {
      let folder = Array(path[..<index])
      guard let place = places[folder] else {
        places[folder] = nodes.count
        nodes.append(Self.folder(epoch))
        continue
      }
      switch nodes[place].kind {
      case .directory: continue
      case .symlink: throw refusal(entry, "it lies behind the symbolic link '\(shown(folder))'")
      default: throw refusal(entry, "it lies below '\(shown(folder))', which is no folder")
      }
    }
  }

  /// A member's path in the tree, without `.` and doubled or closing slashes.
  private func place(_ path: [UInt8], of entry: ArchiveEntry) throws(ImagingFailure) -> [UInt8] {
    let parts = path.split(separator: UInt8(ascii: "/"))
    if path.first == UInt8(ascii: "/") { throw refusal(entry, "its path is absolute") }
    if parts.contains([0x2E, 0x2E]) { throw refusal(entry, "its path has '..' in it") }
    return Array(parts.filter { $0 != [0x2E] }.joined(separator: [UInt8(ascii: "/")]))
  }

  private func refusal(_ entry: ArchiveEntry, _ reason: String) -> ImagingFailure {
    .refused(
      archive: archive, member: String(decoding: entry.path, as: UTF8.self), reason: reason)
  }
}

/// Keeps the content of files that cannot be read from the archive later, in a file without a name.
private struct Spool {
  let folder: FilePath
  private var file: OpenFile?
  private var end: Int64 = 0

  init(folder: FilePath) { self.folder = folder }

  /// Reads a member's content to its end.
  mutating func take(
    _ entry: ArchiveEntry, from reader: inout ArchiveReader
  ) throws -> Tree.File {
    let file = try file ?? create()
    self.file = file
    let start = end
    var size = entry.size ?? 0
    try reader.forEachBlock { offset, bytes in
      var done = 0
      while done < bytes.count {
        let count = pwrite(
          file.descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done,
          off_t(start + offset) + off_t(done))
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { throw failure("write a temporary file in") }
        done += count
      }
      size = max(size, offset + Int64(bytes.count))
    }
    // Blocks of the image begin at blocks of the file, and a hole at the end can be read.
    end = (start + size + 4095) & ~4095
    guard ftruncate(file.descriptor, off_t(end)) == 0 else {
      throw failure("write a temporary file in")
    }
    let data = entry.sparse?.map { $0.offset..<($0.offset + $0.length) }
    return Tree.File(
      size: size, origin: .part(of: file, offset: start),
      data: data == [0..<size] ? nil : data)
  }

  private func create() throws(ImagingFailure) -> OpenFile {
    var name = Array(folder.appending(".build-snapshot-XXXXXX").string.utf8CString)
    let descriptor = mkstemp(&name)
    guard descriptor >= 0 else { throw failure("make a temporary file in") }
    unlink(name)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    return OpenFile(descriptor, name: "temporary file in \(folder)") { close($0) }
  }

  private func failure(_ operation: String) -> ImagingFailure {
    .cannotRead(path: folder.string, operation: operation, reason: lastError())
  }
}
