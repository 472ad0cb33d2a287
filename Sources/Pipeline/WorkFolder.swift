internal import Content
internal import SystemPackage

/// A folder of the store for one build in progress: `work/ID`, held by the lock `work/ID.lock`.
///
/// It is removed when the build ends, however it ends; what a killed build left is swept by the next.
struct WorkFolder: Sendable {
  let path: FilePath
  private let lock: FileLock

  /// Makes a new folder and sweeps those that no build holds any more.
  init(in store: FilePath) throws {
    let work = store.appending("work")
    try makeFolder(work)
    spreadFolders(in: work)
    try sweep(work)
    (path, lock) = try newFolder(in: work)
    try makeFolder(path)
  }

  /// Removes the folder with all that is in it.
  func remove() throws {
    try removeTree(path)
    try removeTree(lockFile(of: path))
    lock.release()
  }
}

private func lockFile(of folder: FilePath) -> FilePath { FilePath(folder.string + ".lock") }

/// A name that no other build has, and its lock.
///
/// A sweeper may take our lock's file for a stale one before we hold it: then we try another name.
private func newFolder(in work: FilePath) throws -> (FilePath, FileLock) {
  while true {
    let path = work.appending(String(UInt64.random(in: 0...UInt64.max), radix: 36))
    let file = lockFile(of: path)
    do {
      let lock = try FileLock(file, for: "a build")
      if try names(in: work).contains(file.lastComponent?.string ?? "") { return (path, lock) }
    } catch LockFailure.held { continue }
  }
}

private func sweep(_ work: FilePath) throws {
  let names = Set(try names(in: work).map { $0.hasSuffix(".lock") ? String($0.dropLast(5)) : $0 })
  for name in names.sorted() {
    let folder = work.appending(name)
    // A lock that is held is a build that runs: not ours to remove.
    guard let lock = try? FileLock(lockFile(of: folder), for: "sweeping") else { continue }
    try removeTree(folder)
    try removeTree(lockFile(of: folder))
    lock.release()
  }
}
