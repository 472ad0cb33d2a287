internal import Content
internal import Isolation
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// What dpkg's database needs to know of an unpacked package beside its control part.
struct UnpackedFiles: Sendable {
  /// Paths in the order of the archive, as the archive has them.
  var paths: [ImagePath] = []
  /// MD5 sums of its files in the order of the archive, for a package without a list of them.
  var sums: [(path: ImagePath, sum: String)] = []
}

/// Unpacks the data part of one deb into the root, as dpkg does it.
///
/// Every folder is opened below the root by the kernel's own rule, so no entry can reach outside.
/// Configuration files get the suffix `.dpkg-new`; `dpkg --configure` gives them their name.
/// Folders are made with mode 0755 and get their own attributes at the end, from `PathClaims`.
final class DebExtractor {
  private let deb: Deb
  private let position: Int
  private let root: RootFolder
  private let ground: Ground
  private let merged: Set<[UInt8]>
  private let claims: PathClaims
  private let conffiles: Set<ImagePath>
  private let makesSums: Bool
  /// The folder of the last entry, open: archives name the files of a folder one after another.
  private var folder: (path: ImagePath, descriptor: CInt)?
  private var files = UnpackedFiles()

  init(
    _ deb: Deb, position: Int, root: RootFolder, ground: Ground, merged: Set<[UInt8]>,
    claims: PathClaims
  ) {
    self.deb = deb
    self.position = position
    self.root = root
    self.ground = ground
    self.merged = merged
    self.claims = claims
    conffiles = Set(deb.conffiles)
    makesSums = deb.file("md5sums") == nil
  }

  deinit { if let folder { close(folder.descriptor) } }

  /// Unpacks everything; entries that collide with another package's are left out and noted.
  func extract() throws -> UnpackedFiles {
    try Deb.withPart("data", of: deb.package, from: deb.path) { archive in
      while let entry = try archive.next() {
        try Task.checkCancellation()
        try unpack(entry, &archive)
      }
    }
    return files
  }

  private func unpack(_ entry: ArchiveEntry, _ archive: inout ArchiveReader) throws {
    guard let listed = ImagePath(entry.path) else {
      throw refused(entry, "it leads out of the root")
    }
    files.paths.append(listed)
    let path = realPath(listed, entry.kind)
    if path.isRoot, entry.kind != .directory { throw refused(entry, "it is the root") }
    if entry.kind == .directory {
      claims.claim(
        path,
        as: PathClaims.Folder(
          package: position, mode: entry.mode, uid: entry.uid, gid: entry.gid,
          modified: entry.modified))
      return try makeFolder(path)
    }
    guard entry.xattrs.isEmpty else { throw refused(entry, "dpkg knows no extended attributes") }
    guard claims.claimFile(path, for: position, isFolderLink: isFolderLink(path, entry.kind))
    else { return }
    guard ground.isFree(path) else { return claims.collide(position) }
    let parent = try parent(of: path)
    switch entry.kind {
    case .directory: break
    case .file: try makeFile(path, listed, entry, &archive, in: parent)
    case .symlink(let target): try makeLink(path, entry, target, in: parent)
    case .hardlink(let target): try makeHardLink(path, entry, target, in: parent)
    case .fifo:
      try check(mkfifoat(parent, path.cName, 0o600), "make", path)
      try setAttributes(of: path, entry, in: parent)
    case .characterDevice, .blockDevice:
      throw refused(entry, "device nodes cannot be made without root, and /dev is filled at boot")
    case .socket: throw refused(entry, "a package cannot hold a socket")
    }
  }

  private func makeFolder(_ path: ImagePath) throws {
    if path.isRoot { return }
    if let isFolder = ground.paths[path] {
      // A link to a folder stands for it, as with dpkg.
      let target = isFolder ? nil : try root.status(of: path.filePath, followsLinks: true)
      return isFolder || target?.kind == .folder ? () : claims.collide(position)
    }
    guard mkdirat(try parent(of: path), path.cName, 0o755) != 0, errno != EEXIST else { return }
    throw RootFailure("make folder", path.filePath, errno)
  }

  private func makeFile(
    _ path: ImagePath, _ listed: ImagePath, _ entry: ArchiveEntry,
    _ archive: inout ArchiveReader, in parent: CInt
  ) throws {
    let isConffile = conffiles.contains(listed)
    let name = (isConffile ? path.appending(suffix: ".dpkg-new") : path).cName
    let file = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    if file < 0, errno == EEXIST { return claims.collide(position) }
    guard file >= 0 else { throw RootFailure("make", path.filePath, errno) }
    defer { close(file) }
    var sum = MD5Sum()
    try archive.forEachBlock { offset, bytes in
      if makesSums { sum.update(bytes) }
      guard writeAll(bytes, to: file)
      else { throw RootFailure("write", path.filePath, errno) }
    }
    if makesSums { files.sums.append((listed, sum.finish())) }
    if entry.uid != 0 || entry.gid != 0 {
      try check(fchown(file, entry.uid, entry.gid), "set the owner of", path)
    }
    try check(fchmod(file, mode_t(entry.mode)), "set the mode of", path)
    try check(futimens(file, times(entry)), "set the time of", path)
  }

  private func makeLink(
    _ path: ImagePath, _ entry: ArchiveEntry, _ target: [UInt8], in parent: CInt
  ) throws {
    let text = target.map { CChar(bitPattern: $0) } + [0]
    // A link of a merged system that we made, and that its package now brings.
    if merged.contains(path.bytes) { unlinkat(parent, path.cName, 0) }
    if symlinkat(text, parent, path.cName) != 0 {
      guard errno == EEXIST else { throw RootFailure("make", path.filePath, errno) }
      return claims.collide(position)
    }
    try setAttributes(of: path, entry, in: parent)
  }

  private func makeHardLink(
    _ path: ImagePath, _ entry: ArchiveEntry, _ target: [UInt8], in parent: CInt
  ) throws {
    guard let listed = ImagePath(target) else { throw refused(entry, "it links out of the root") }
    let old = listed.unaliased(merged: merged)
    guard claims.isFile(old, of: position)
    else { throw refused(entry, "it links to '\(old)', which the package does not hold") }
    let suffix = { [conffiles] (path: ImagePath, listed: ImagePath) in
      conffiles.contains(listed) ? path.appending(suffix: ".dpkg-new") : path
    }
    let folder = try root.openFolder(old.parent)
    defer { close(folder) }
    let code = linkat(folder, suffix(old, listed).cName, parent, suffix(path, path).cName, 0)
    if code != 0, errno == EEXIST { return claims.collide(position) }
    try check(code, "link", path)
    if makesSums, let sum = files.sums.first(where: { $0.path == listed })?.sum,
      let name = ImagePath(entry.path)
    {
      files.sums.append((name, sum))
    }
  }

  private func setAttributes(of path: ImagePath, _ entry: ArchiveEntry, in parent: CInt) throws {
    if entry.uid != 0 || entry.gid != 0 {
      try check(
        fchownat(parent, path.cName, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW),
        "set the owner of", path)
    }
    if entry.kind == .fifo {
      try check(fchmodat(parent, path.cName, mode_t(entry.mode), 0), "set the mode of", path)
    }
    try check(
      utimensat(parent, path.cName, times(entry), AT_SYMLINK_NOFOLLOW), "set the time of", path)
  }

  /// The path that an entry is unpacked to: below `/usr` where its folder is a link into it.
  private func realPath(_ listed: ImagePath, _ kind: ArchiveEntry.Kind) -> ImagePath {
    if case .symlink = kind, merged.contains(listed.bytes) { return listed }
    return listed.unaliased(merged: merged)
  }

  /// Links of the first package of all may stand for folders, such as `/var/run`.
  private func isFolderLink(_ path: ImagePath, _ kind: ArchiveEntry.Kind) -> Bool {
    if position == 0, case .symlink = kind { true } else { false }
  }

  private func parent(of path: ImagePath) throws(RootFailure) -> CInt {
    let parent = path.parent
    if let folder {
      if folder.path == parent { return folder.descriptor }
      close(folder.descriptor)
      self.folder = nil
    }
    let descriptor = try root.openFolder(parent, making: true)
    folder = (parent, descriptor)
    return descriptor
  }

  private func times(_ entry: ArchiveEntry) -> [timespec] {
    let time = timespec(tv_sec: Int(entry.modified), tv_nsec: Int(entry.modifiedNanoseconds))
    return [time, time]
  }

  private func refused(_ entry: ArchiveEntry, _ reason: String) -> PackageFailure {
    .refused(
      package: deb.package.name, path: String(decoding: entry.path, as: UTF8.self), reason: reason)
  }

  private func check(_ code: CInt, _ operation: String, _ path: ImagePath) throws(RootFailure) {
    guard code == 0 else { throw RootFailure(operation, path.filePath, errno) }
  }
}
