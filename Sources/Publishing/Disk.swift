internal import CLinux
internal import FoundationEssentials
internal import Glibc
internal import SystemPackage

// The system calls of the catalog. Each failure names what was done to which path.

/// Runs a system call, again when a signal broke it off.
///
/// - Returns: what the call returned, which is not negative.
@discardableResult
func call(
  _ doing: String, _ path: FilePath, _ body: () -> Int32
) throws(CatalogFailure) -> Int32 {
  while true {
    let result = body()
    if result >= 0 { return result }
    let error = Errno(rawValue: errno)
    if error != .interrupted { throw .system(doing: doing, path: path, error) }
  }
}

/// Opens a file or a folder, and closes it after `body`.
@discardableResult
func withDescriptor<Result>(
  _ path: FilePath, _ flags: Int32, mode: mode_t = 0,
  _ body: (Int32) throws(CatalogFailure) -> Result
) throws(CatalogFailure) -> Result {
  let file = try call("open", path) { open(path.string, flags | O_CLOEXEC, mode) }
  defer { close(file) }
  return try body(file)
}

/// Writes a file that is not there yet, with its mode, down to the disk.
///
/// A failure may leave a part of the file; its folder is private to the caller.
func writeNew(
  _ bytes: [UInt8], to path: FilePath, mode: mode_t = 0o444
) throws(CatalogFailure) {
  try withDescriptor(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600) {
    (file) throws(CatalogFailure) in
    var done = 0
    while done < bytes.count {
      let written = try call("write", path) {
        bytes[done...].prefix(1 << 20).withUnsafeBytes {
          Int32(write(file, $0.baseAddress, $0.count))
        }
      }
      done += Int(written)
    }
    try call("set the mode of", path) { fchmod(file, mode) }
    try call("flush", path) { fsync(file) }
  }
}

/// Gives a regular file its final mode and waits until all of it is on the disk.
func seal(_ path: FilePath) throws(CatalogFailure) {
  try withDescriptor(path, O_RDONLY | O_NOFOLLOW) { (file) throws(CatalogFailure) in
    var status = stat()
    try call("inspect", path) { fstat(file, &status) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw .incomplete(path, reason: "it is not a regular file")
    }
    try call("set the mode of", path) { fchmod(file, 0o444) }
    try call("flush", path) { fsync(file) }
  }
}

/// Waits until a folder's entries are on the disk.
func flushFolder(_ path: FilePath) throws(CatalogFailure) {
  try withDescriptor(path, O_RDONLY | O_DIRECTORY) { (folder) throws(CatalogFailure) in
    try call("flush", path) { fsync(folder) }
  }
}

/// Makes a folder with those above it, each reaching the disk in its parent; one that is there stays.
func makeFolders(_ path: FilePath) throws(CatalogFailure) {
  if path.isEmpty || isFolder(path) { return }
  let parent = path.removingLastComponent()
  try makeFolders(parent)
  do {
    try call("make the folder", path) { mkdir(path.string, 0o755) }
  } catch .system(_, _, .fileExists) {
    return  // another builder was faster
  }
  try flushFolder(parent.isEmpty ? "." : parent)
}

/// Whether the path is a folder, or a link to one.
func isFolder(_ path: FilePath) -> Bool {
  var status = stat()
  return stat(path.string, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// Whether anything bears the name, also a dangling link.
func exists(_ path: FilePath) -> Bool {
  var status = stat()
  return lstat(path.string, &status) == 0
}

/// Renames; what bears the new name is replaced.
func move(_ from: FilePath, over to: FilePath) throws(CatalogFailure) {
  try call("rename to", to) { rename(from.string, to.string) }
}

/// Renames, and fails with `.fileExists` where the new name is taken, even by an empty folder.
func move(_ from: FilePath, new to: FilePath) throws(CatalogFailure) {
  try call("rename to", to) { clinux_rename_new(from.string, to.string) }
}

/// The names in a folder, sorted; none when there is no such folder.
func names(in folder: FilePath) throws(CatalogFailure) -> [String] {
  guard let stream = opendir(folder.string) else {
    let error = Errno(rawValue: errno)
    if error == .noSuchFileOrDirectory { return [] }
    throw .system(doing: "read the folder", path: folder, error)
  }
  defer { closedir(stream) }
  var names: [String] = []
  while let entry = readdir(stream) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != ".", name != ".." { names.append(name) }
  }
  return names.sorted()
}

/// The bytes of a small file; nil when there is none.
func read(_ path: FilePath) throws(CatalogFailure) -> [UInt8]? {
  do {
    return try withDescriptor(path, O_RDONLY) { (file) throws(CatalogFailure) in
      var bytes: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = Int(try call("read", path) { Int32(Glibc.read(file, &buffer, buffer.count)) })
        if count == 0 { return bytes }
        bytes += buffer[..<count]
      }
    }
  } catch .system(_, _, .noSuchFileOrDirectory) {
    return nil
  }
}

/// The target of a symbolic link; nil when the path is not one.
func target(of link: FilePath) -> String? {
  var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
  let count = readlink(link.string, &buffer, buffer.count)
  return count < 0
    ? nil : String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Makes `link` point to `target`, replacing what it was in one step, down to the disk.
func replaceLink(_ link: FilePath, target: String) throws(CatalogFailure) {
  let temporary = temporaryName(beside: link)
  try call("make the link", temporary) { symlink(target, temporary.string) }
  do {
    try move(temporary, over: link)
  } catch {
    unlink(temporary.string)
    throw error
  }
  try flushFolder(link.removingLastComponent())
}

/// Writes a file so that readers see the old or the new one, down to the disk.
func replaceFile(_ path: FilePath, _ bytes: [UInt8]) throws(CatalogFailure) {
  try swapFile(path, bytes)
  try flushFolder(path.removingLastComponent())
}

/// Writes a file so that readers see the old or the new one; its name is not on the disk yet.
func swapFile(_ path: FilePath, _ bytes: [UInt8]) throws(CatalogFailure) {
  let temporary = temporaryName(beside: path)
  do {
    try writeNew(bytes, to: temporary)
    try move(temporary, over: path)
  } catch {
    unlink(temporary.string)
    throw error
  }
}

/// A name that no other writer uses: all that is temporary begins with `.tmp-`.
private func temporaryName(beside path: FilePath) -> FilePath {
  path.removingLastComponent().appending(
    ".tmp-\(path.lastComponent?.string ?? "")-\(String(UInt64.random(in: 0...UInt64.max), radix: 36))"
  )
}

/// Removes a file, a link or a folder with all in it; folders may be write-protected.
///
/// - Returns: false when something stayed.
@discardableResult
func removeAll(_ path: FilePath) -> Bool {
  if unlink(path.string) == 0 || errno == ENOENT { return true }
  chmod(path.string, 0o700)
  for name in (try? names(in: path)) ?? [] {  // what cannot be read cannot be removed: told below
    removeAll(path.appending(name))
  }
  return rmdir(path.string) == 0 || errno == ENOENT
}
