internal import Content
internal import Model
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// What the file system says of every path of a layer when it is finished, as one hash.
///
/// A change made through the file system, by whomever, changes a size, a time or an inode of it: the time
/// of the last change of an inode (ctime) cannot be set. What a disk returns wrongly is not found here.
struct Seal: Equatable {
  var hash: ContentHash
  /// Bytes on the disk.
  var size: Int
}

extension Seal {
  /// Looks at every path of a tree; contents are not read.
  init(of tree: FilePath) throws(Errno) {
    var walk = SealWalk()
    let folder = open(tree.string, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard folder >= 0 else { throw Errno(rawValue: errno) }
    var facts = stat()
    guard fstat(folder, &facts) == 0 else {
      let code = errno
      close(folder)
      throw Errno(rawValue: code)
    }
    walk.note([], facts)
    try walk.list(folder)
    size = walk.size
    hash = walk.finish()
  }
}

private struct SealWalk: ~Copyable {
  var hasher = Hasher256()
  var size = 0

  consuming func finish() -> ContentHash { hasher.finish() }

  mutating func note(_ name: [UInt8], _ facts: stat) {
    let numbers: [Int64] = [
      Int64(facts.st_mode), Int64(facts.st_uid), Int64(facts.st_gid), Int64(facts.st_size),
      Int64(facts.st_mtim.tv_sec), Int64(facts.st_mtim.tv_nsec), Int64(facts.st_ctim.tv_sec),
      Int64(facts.st_ctim.tv_nsec), Int64(facts.st_ino), Int64(facts.st_rdev),
    ]
    numbers.withUnsafeBytes { hasher.update($0) }
    hasher.update(name + [0])
    size += Int(facts.st_blocks) * 512
  }

  /// Lists an open folder and all below it, and closes it.
  mutating func list(_ folder: CInt) throws(Errno) {
    guard let stream = fdopendir(folder) else {
      let code = errno
      close(folder)
      throw Errno(rawValue: code)
    }
    defer { closedir(stream) }
    var names: [[UInt8]] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if name != [46], name != [46, 46] { names.append(name) }
    }
    for name in names.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      let text = name.map { CChar(bitPattern: $0) } + [0]
      var facts = stat()
      guard fstatat(folder, text, &facts, AT_SYMLINK_NOFOLLOW) == 0
      else { throw Errno(rawValue: errno) }
      note(name, facts)
      guard facts.st_mode & S_IFMT == S_IFDIR else { continue }
      let inner = openat(folder, text, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      guard inner >= 0 else { throw Errno(rawValue: errno) }
      try list(inner)
    }
    hasher.update([UInt8(ascii: "/")])
  }
}
