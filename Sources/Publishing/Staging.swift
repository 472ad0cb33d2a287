internal import Content
internal import Glibc
public import Model
public import SystemPackage
internal import Synchronization

/// A private folder in which the files of a release come together.
///
/// Write the image to `disk`, add the other files, then publish. What was not published goes with the
/// last reference, or, after a crash, with the next staging of any image: the folder is locked as
/// long as its process lives.
public final class Staging: Sendable {
  public let image: String
  public let path: FilePath
  private let lock: Int32
  private let state = Mutex(State())

  private struct State {
    var documents: [Manifest.Document] = []
    var isPublished = false
  }

  /// Makes the folder below `parent`, locked.
  init(image: String, in parent: FilePath) throws(CatalogFailure) {
    while true {
      let path = parent.appending(
        "\(image)-\(String(UInt64.random(in: 0...UInt64.max), radix: 36))")
      try call("make the folder", path) { mkdir(path.string, 0o700) }
      // A sweeper may come between the two: it is gone then, or holds the lock.
      let folder: Int32
      do {
        folder = try call("open", path) { open(path.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
      } catch .system(_, _, .noSuchFileOrDirectory) {
        continue
      }
      do {
        try call("lock", path) { flock(folder, LOCK_EX | LOCK_NB) }
        if isSameInode(folder, path) {
          (self.image, self.path, lock) = (image, path, folder)
          return
        }
        close(folder)
      } catch {
        close(folder)
        guard case .system(_, _, .wouldBlock) = error else {
          rmdir(path.string)  // best effort: the next staging sweeps it
          throw error
        }
      }
    }
  }

  /// Where the image file goes.
  public var disk: FilePath { path.appending(Manifest.diskFileName) }

  /// The files added so far, sorted by name.
  public var documents: [Manifest.Document] {
    state.withLock { $0.documents.sorted { $0.file < $1.file } }
  }

  /// Adds a file that the manifest shall vouch for.
  ///
  /// - Parameter role: what it is for, such as `lock`, `packages` or `sbom`.
  public func add(
    _ bytes: [UInt8], as name: String, role: String, mediaType: String
  ) throws(CatalogFailure) {
    try writeNew(bytes, to: path.appending(name))
    note(name, role, mediaType, size: bytes.count, ContentHash(of: bytes))
  }

  /// Adds a file by moving it here, whatever its size.
  ///
  /// - Throws: `.otherFileSystem` when a rename cannot do it.
  public func add(
    moving file: FilePath, as name: String, role: String, mediaType: String
  ) throws {
    try adopt(file, as: name)
    try add(written: name, role: role, mediaType: mediaType)
  }

  /// Adds a file that the caller wrote into the folder.
  ///
  /// - Returns: its size in bytes and its hash.
  @discardableResult
  public func add(
    written name: String, role: String, mediaType: String
  ) throws -> (size: Int, hash: ContentHash) {
    let size = try sizeInBytes(path.appending(name))
    let hash = try ContentHash(ofFile: path.appending(name))
    note(name, role, mediaType, size: size, hash)
    return (size, hash)
  }

  /// Takes the image file by moving it here.
  ///
  /// - Throws: `.otherFileSystem` when a rename cannot do it.
  public func add(movingDisk file: FilePath) throws(CatalogFailure) {
    try adopt(file, as: Manifest.diskFileName)
  }

  private func adopt(_ file: FilePath, as name: String) throws(CatalogFailure) {
    do {
      try move(file, new: path.appending(name))
    } catch .system(_, _, .improperLink) {
      throw .otherFileSystem(file, store: path)
    }
  }

  private func note(
    _ name: String, _ role: String, _ mediaType: String, size: Int, _ hash: ContentHash
  ) {
    state.withLock {
      $0.documents.append(
        Manifest.Document(role: role, mediaType: mediaType, file: name, size: size, sha256: hash))
    }
  }

  /// Gives every file its final mode and brings it to the disk.
  ///
  /// An image of some gigabytes takes its time: no lock is held meanwhile.
  func seal() throws(CatalogFailure) {
    for name in try names(in: path) { try Publishing.seal(path.appending(name)) }
    try flushFolder(path)
  }

  /// The folder has a new name and shall stay.
  func published() { state.withLock { $0.isPublished = true } }

  deinit {
    if !state.withLock({ $0.isPublished }) { removeAll(path) }
    close(lock)
  }
}

/// Removes the staging folders of processes that are gone.
func sweep(_ parent: FilePath) throws(CatalogFailure) {
  for name in try names(in: parent) {
    let path = parent.appending(name)
    let folder = open(path.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
    guard folder >= 0 else { continue }
    defer { close(folder) }
    // The lock is held while we remove, so that no new owner can take the folder meanwhile.
    if flock(folder, LOCK_EX | LOCK_NB) == 0, isSameInode(folder, path) { removeAll(path) }
  }
}

/// Whether a path still names the open file.
func isSameInode(_ file: Int32, _ path: FilePath) -> Bool {
  var opened = stat()
  var named = stat()
  return fstat(file, &opened) == 0 && lstat(path.string, &named) == 0
    && opened.st_dev == named.st_dev && opened.st_ino == named.st_ino
}

/// The size of a file, in bytes.
func sizeInBytes(_ path: FilePath) throws(CatalogFailure) -> Int {
  var status = stat()
  try call("inspect", path) { lstat(path.string, &status) }
  return Int(status.st_size)
}
