public import Model
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Files known by the SHA-256 of their content: `<store>/blobs/sha256/<2 digits>/<64 digits>`.
///
/// Any number of processes may use one store at once. A file bears its final name only when it is
/// whole, checked, read-only and on the disk; until then it is a part in `<store>/blobs/tmp`, locked
/// by who writes it, so that what a dead process left is known by its lock being free.
public struct BlobStore: Sendable {
  /// The folder that holds `blobs`.
  public let store: FilePath

  /// Opens a store, and makes its folders where they are missing.
  public init(store: FilePath) throws(BlobFailure) {
    self.store = store
    for folder in [blobs, parts] { try makeFolders(folder) }
  }

  /// Whether a store, which may not exist, has a blob: looks only, makes nothing.
  public static func holds(_ hash: ContentHash, in store: FilePath) -> Bool {
    BlobStore(existing: store).contains(hash)
  }

  private init(existing store: FilePath) { self.store = store }

  /// Where a blob is, or would be.
  public func path(of hash: ContentHash) -> FilePath {
    let name = hash.hex
    return blobs.appending(String(name.prefix(2))).appending(name)
  }

  public func contains(_ hash: ContentHash) -> Bool { status(of: path(of: hash)) != nil }

  /// Notes that a blob is used now: what was not used for longest goes first when room is wanted.
  public func touch(_ hash: ContentHash) {
    // Another's blob cannot be marked: it only seems older.
    utimensat(AT_FDCWD, path(of: hash).string, nil, 0)
  }

  /// The size of a blob in bytes, nil when the store does not have it.
  public func size(of hash: ContentHash) -> Int? {
    status(of: path(of: hash)).map { Int($0.st_size) }
  }

  /// Opens a blob for reading; its bytes are those that were checked when it came in.
  public func open(_ hash: ContentHash) throws(BlobFailure) -> FileDescriptor {
    let path = path(of: hash)
    do {
      return try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
    } catch Errno.noSuchFileOrDirectory {
      throw .missing(hash)
    } catch { throw .from(error, "open", path, in: store) }
  }

  /// Reads a blob again in full; one whose bytes have changed is removed and reported as `.corrupt`.
  public func check(_ hash: ContentHash) throws(BlobFailure) {
    let file = try open(hash)
    let actual: ContentHash
    do {
      actual = try file.closeAfter { try ContentHash(reading: file) }
    } catch { throw .from(error, "read", path(of: hash), in: store) }
    guard actual == hash else {
      try remove(hash)
      throw .corrupt(expected: hash, actual: actual)
    }
  }

  /// Removes a blob; one that is not there is no error.
  public func remove(_ hash: ContentHash) throws(BlobFailure) {
    let path = path(of: hash)
    guard unlink(path.string) != 0, errno != ENOENT else { return }
    throw .from(Errno(rawValue: errno), "remove", path, in: store)
  }

  /// Takes in bytes from memory.
  @discardableResult
  public func add(_ bytes: [UInt8]) throws(BlobFailure) -> ContentHash {
    let hash = ContentHash(of: bytes)
    guard size(of: hash) != bytes.count else { return hash }
    let part = try receive()
    try part.append(bytes)
    return try part.commit(expecting: hash, size: bytes.count)
  }

  /// Takes in a copy of a file; with `hash`, only when that is what the file holds.
  @discardableResult
  public func add(
    file path: FilePath, expecting hash: ContentHash? = nil
  ) throws(BlobFailure) -> ContentHash {
    let source: FileDescriptor
    do {
      source = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
    } catch { throw .failed(operation: "open", path: path, reason: systemReason(error)) }
    // Nothing was written to it.
    defer { try? source.close() }
    let part = try receive()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    defer { buffer.deallocate() }
    while true {
      let count: Int
      do {
        count = try source.read(into: buffer)
      } catch { throw .failed(operation: "read", path: path, reason: systemReason(error)) }
      if count == 0 { break }
      try part.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
    return try part.commit(expecting: hash)
  }

  /// Removes parts that nobody writes any more.
  ///
  /// - Parameters:
  ///   - age: parts that a later download can resume are kept for so many seconds; others go at once.
  ///   - now: seconds since 1970; nil asks the clock.
  /// - Returns: how many parts went.
  @discardableResult
  public func sweep(keeping age: Int = 7 * 24 * 3600, now: Int? = nil) throws(BlobFailure) -> Int {
    let now = now ?? time(nil)
    var count = 0
    for name in try names(in: parts) where name.hasSuffix(IncomingBlob.suffix) {
      let path = parts.appending(name)
      let hash = ContentHash(hex: name.dropLast(IncomingBlob.suffix.count))
      if let hash, !contains(hash), let status = status(of: path),
        now - Int(status.st_mtim.tv_sec) < age
      {
        continue
      }
      guard let file = try lockedPart(at: path, creating: false) else { continue }
      // Locked by us, so nobody writes it; closing gives the lock back even where it fails.
      defer { try? file.close() }
      if unlink(path.string) == 0 { count += 1 }
    }
    return count
  }
}

extension BlobStore {
  var blobs: FilePath { store.appending("blobs").appending("sha256") }
  var parts: FilePath { store.appending("blobs").appending("tmp") }

  /// Opens and locks a part; nil when another has it, or when there is none and none shall be made.
  func lockedPart(at path: FilePath, creating: Bool) throws(BlobFailure) -> FileDescriptor? {
    do {
      while true {
        let file: FileDescriptor
        do {
          file = try FileDescriptor.open(
            path, .readWrite, options: creating ? [.create, .closeOnExec] : .closeOnExec,
            permissions: .ownerReadWrite)
        } catch Errno.noSuchFileOrDirectory where !creating { return nil }
        do {
          guard try takeLock(on: file) else {
            try file.close()
            return nil
          }
          // Between opening and locking, its writer may have committed or removed it.
          if let named = status(of: path), let opened = status(of: file),
            named.st_ino == opened.st_ino, named.st_dev == opened.st_dev
          {
            return file
          }
          try file.close()
        } catch {
          // Given up anyway; the first error is the one to tell.
          try? file.close()
          throw error
        }
      }
    } catch { throw .from(error, "lock", path, in: store) }
  }

  /// Gives a finished part its final name, and waits until that is on the disk.
  func adopt(_ part: FilePath, as hash: ContentHash) throws(BlobFailure) {
    let path = path(of: hash)
    let folder = path.removingLastComponent()
    do {
      if mkdir(folder.string, 0o777) == 0 {
        try synchroniseFolder(blobs)
      } else if errno != EEXIST {
        throw Errno(rawValue: errno)
      }
      guard rename(part.string, path.string) == 0 else { throw Errno(rawValue: errno) }
      try synchroniseFolder(folder)
    } catch { throw .from(error, "write", path, in: store) }
  }

  private func makeFolders(_ folder: FilePath) throws(BlobFailure) {
    if mkdir(folder.string, 0o777) == 0 || errno == EEXIST { return }
    let reason = Errno(rawValue: errno)
    let parent = folder.removingLastComponent()
    guard reason == .noSuchFileOrDirectory, !parent.isEmpty, parent != folder
    else { throw .from(reason, "make the folder", folder, in: store) }
    try makeFolders(parent)
    guard mkdir(folder.string, 0o777) == 0 || errno == EEXIST
    else { throw .from(Errno(rawValue: errno), "make the folder", folder, in: store) }
  }

  private func names(in folder: FilePath) throws(BlobFailure) -> [String] {
    guard let handle = opendir(folder.string)
    else { throw .from(Errno(rawValue: errno), "read the folder", folder, in: store) }
    defer { closedir(handle) }
    var names = [String]()
    while let entry = readdir(handle) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  private func status(of path: FilePath) -> stat? {
    var status = stat()
    return stat(path.string, &status) == 0 ? status : nil
  }

  private func status(of file: FileDescriptor) -> stat? {
    var status = stat()
    return fstat(file.rawValue, &status) == 0 ? status : nil
  }
}
