internal import Model
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Reads the content of a tree's files; keeps the last file open for its next part.
struct ContentReader: ~Copyable {
  private let tree: Tree
  private var open: (node: Int, descriptor: CInt)?

  init(_ tree: Tree) { self.tree = tree }

  /// Fills a buffer with a file's bytes from an offset on; what lies behind the file's end stays.
  ///
  /// - Throws: `ImagingFailure`: the file cannot be read, or its size is not the tree's any more.
  mutating func read(
    node: Int, file: Tree.File, from offset: Int64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(ImagingFailure) {
    let count = Int(min(Int64(buffer.count), file.size - offset))
    guard count > 0 else { return }
    let wanted = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
    switch file.origin {
    case .inline(let bytes):
      guard bytes.count == file.size else { throw .changed(path: "inline content") }
      bytes.withUnsafeBytes {
        wanted.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[Int(offset)...].prefix(count)))
      }
    case .part(let source, let start):
      try fill(wanted, from: source.descriptor, at: start + offset, path: source.name)
    case .path(let path, let folder):
      let descriptor = try openFile(node: node, path: path, in: folder, size: file.size)
      try fill(wanted, from: descriptor, at: offset, path: name(path, in: folder))
    }
  }

  /// What a file's content is known by; nil where no file of its own holds it, or another one now.
  func key(of file: Tree.File) -> KnownContents.Key? {
    guard case .path(let path, let folder) = file.origin else { return nil }
    var status = stat()
    let isThere = withCString(path) {
      fstatat(folder.descriptor, $0, &status, AT_SYMLINK_NOFOLLOW) == 0
    }
    guard isThere, status.st_mode & S_IFMT == S_IFREG, Int64(status.st_size) == file.size
    else { return nil }
    return KnownContents.key(of: path, status)
  }

  private mutating func openFile(
    node: Int, path: [UInt8], in folder: OpenFile, size: Int64
  ) throws(ImagingFailure) -> CInt {
    if let open, open.node == node { return open.descriptor }
    close()
    let descriptor = withCString(path) {
      openat(folder.descriptor, $0, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    }
    guard descriptor >= 0 else {
      throw .cannotRead(path: name(path, in: folder), operation: "open", reason: lastError())
    }
    open = (node, descriptor)
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      Int64(status.st_size) == size
    else { throw .changed(path: name(path, in: folder)) }
    return descriptor
  }

  private func name(_ path: [UInt8], in folder: OpenFile) -> String { folder.name + shown(path) }

  private func fill(
    _ buffer: UnsafeMutableRawBufferPointer, from descriptor: CInt, at offset: Int64, path: String
  ) throws(ImagingFailure) {
    let count: Int
    do { count = try readFully(descriptor, at: offset, into: buffer) } catch {
      throw .cannotRead(path: path, operation: "read", reason: error.description)
    }
    guard count == buffer.count else { throw .changed(path: path) }
  }

  private mutating func close() {
    // Only read from: closing cannot lose anything.
    if let open { _ = Glibc.close(open.descriptor) }
    open = nil
  }

  deinit { if let open { _ = Glibc.close(open.descriptor) } }
}

/// What the last failed system call of this thread says.
func lastError() -> String { Errno(rawValue: errno).description }

/// Calls `body` with bytes as a C string.
func withCString<Result>(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { buffer in
    for (index, byte) in bytes.enumerated() { buffer[index] = CChar(bitPattern: byte) }
    buffer[bytes.count] = 0
    // A temporary allocation of at least one element has an address.
    guard let start = buffer.baseAddress else { preconditionFailure("no memory for a path") }
    return body(UnsafePointer(start))
  }
}
