internal import Content
internal import Isolation
internal import Model
internal import SystemPackage

/// Puts the recipe's `[[file]]` tables into the root.
struct FileInstaller {
  let root: RootFolder
  let accounts: Accounts

  func install(_ file: Recipe.File) throws {
    let owner = try accounts.owner(file.owner, at: file.position)
    let path = FilePath(file.path)
    try checkPath(path, isFolder: file.content == .folder, at: file.position)
    switch file.content {
    case .text(let text):
      try makeParents(of: path)
      try root.write(Array(text.utf8), to: path, mode: file.mode ?? 0o644, owner: owner)
    case .link(let target):
      try makeParents(of: path)
      try root.makeLink(path, to: FilePath(target), owner: owner)
    case .folder:
      try makeFolder(path, mode: file.mode ?? 0o755, owner: owner)
    case .source(let source):
      try copy(FilePath(source), to: path, mode: file.mode, owner: owner)
    }
  }

  /// Copies a file or folder of the host. Files become 0755 or 0644 by their owner's right to execute,
  /// since the other bits depend on who checked the folder out; `mode` is that of the top only.
  func copy(_ source: FilePath, to path: FilePath, mode: UInt16? = nil, owner: Owner) throws {
    let status: FileStatus
    do { status = try FileStatus(of: source) } catch {
      throw CustomiseFailure.unreadable(
        path: source.string, reason: "\(Errno(rawValue: error.code))")
    }
    switch status.kind {
    case .folder:
      try makeFolder(path, mode: mode, owner: owner)
      let tree = try RootFolder(source)
      for name in try tree.names(in: "") {
        try copy(FilePath("").appending(name), of: tree, to: path.appending(name), owner: owner)
      }
    case .file:
      let file: FileDescriptor
      do { file = try .open(source, .readOnly, options: .closeOnExec) } catch {
        throw CustomiseFailure.unreadable(path: source.string, reason: "\(error)")
      }
      try makeParents(of: path)
      try file.closeAfter {
        try write(file, to: path, mode: mode ?? plainMode(status), owner: owner)
      }
    default:
      throw CustomiseFailure.unreadable(
        path: source.string, reason: "it is neither a file nor a folder")
    }
  }

  /// Copies what is at `path` of a folder on the host, links as links.
  private func copy(
    _ path: FilePath, of tree: RootFolder, to target: FilePath, owner: Owner
  ) throws {
    try Task.checkCancellation()
    guard let status = try tree.status(of: path) else { return }
    switch status.kind {
    case .folder:
      try makeFolder(target, mode: nil, owner: owner)
      for name in try tree.names(in: path) {
        try copy(path.appending(name), of: tree, to: target.appending(name), owner: owner)
      }
    case .file:
      let file = try tree.open(path)
      try file.closeAfter { try write(file, to: target, mode: plainMode(status), owner: owner) }
    case .link:
      guard let link = try tree.target(ofLink: path) else { return }
      try root.makeLink(target, to: link, owner: owner)
    default:
      throw CustomiseFailure.unreadable(
        path: tree.path.appending(path.components).string,
        reason: "it is neither a file nor a folder nor a link")
    }
  }

  private func write(
    _ source: FileDescriptor, to path: FilePath, mode: UInt16, owner: Owner
  ) throws {
    try root.write(to: path, mode: mode, owner: owner) { target in
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
      defer { buffer.deallocate() }
      while true {
        let count = try source.read(into: buffer)
        if count == 0 { return }
        try target.writeAll(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      }
    }
  }

  /// Makes a folder; one that is there gets `mode` and `owner` only when there is a mode.
  private func makeFolder(_ path: FilePath, mode: UInt16?, owner: Owner) throws {
    guard let status = try root.status(of: path, followsLinks: true) else {
      try makeParents(of: path)
      try root.makeFolder(path, mode: mode ?? 0o755, owner: owner)
      return
    }
    guard status.kind == .folder else { throw RootFailure("make folder", path, 20) }
    guard let mode, try root.status(of: path)?.kind == .folder else { return }
    try root.setOwner(of: path, owner)
    try root.setMode(of: path, mode)
  }

  /// Makes the folders above a path; they belong to whom the nearest folder that is there belongs.
  func makeParents(of path: FilePath) throws {
    let parent = path.removingLastComponent()
    var nearest = parent
    while true {
      if let status = try root.status(of: nearest, followsLinks: true) {
        try root.makeFolders(parent, owner: Owner(uid: status.uid, gid: status.gid))
        return
      }
      guard nearest.removeLastComponent() else { return }
    }
  }

  private func checkPath(
    _ path: FilePath, isFolder: Bool, at position: SourcePosition
  ) throws {
    guard path.isAbsolute, path.components.allSatisfy({ $0.kind == .regular }),
      path.lastComponent != nil
    else { throw FaultyRecipe(at: position, "'\(path)' is not a place in the image") }
    if !isFolder, try root.status(of: path)?.kind == .folder {
      throw FaultyRecipe(at: position, "'\(path)' is a folder in the image")
    }
  }
}

private func plainMode(_ status: FileStatus) -> UInt16 { status.mode & 0o100 != 0 ? 0o755 : 0o644 }
