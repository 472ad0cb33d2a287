internal import Content
internal import Glibc
internal import Isolation
internal import SystemPackage

/// Unpacks members of one archive into folders of the root, and never outside of them.
struct PayloadUnpacker {
  private let root: RootFolder
  /// What messages call the archive.
  private let archive: String
  /// Set-id bits of members count; else they are dropped.
  private let keepsSetID: Bool
  /// What the archive has made so far: hard links lead there, and its own links are no way on.
  private var files: Set<FilePath> = []
  private var links: Set<FilePath> = []
  /// Folders that are known to be there.
  private var folders: Set<FilePath> = []

  init(root: RootFolder, archive: String, keepsSetID: Bool) {
    self.root = root
    self.archive = archive
    self.keepsSetID = keepsSetID
  }

  /// The names of a member's path.
  ///
  /// - Throws: `.refused` for an absolute path and one with `..`.
  static func names(
    of path: [UInt8], member: [UInt8], archive: String
  ) throws(CustomiseFailure) -> [[UInt8]] {
    let shown = String(decoding: member, as: UTF8.self)
    guard path.first != UInt8(ascii: "/") else {
      throw .refused(archive: archive, member: shown, reason: "its path is absolute")
    }
    let names = path.split(separator: UInt8(ascii: "/")).map(Array.init)
      .filter { $0 != [UInt8(ascii: ".")] }
    guard !names.contains(Array("..".utf8)) else {
      throw .refused(archive: archive, member: shown, reason: "its path has '..' in it")
    }
    return names
  }

  /// Unpacks the member at which `reader` stands.
  ///
  /// - Parameters:
  ///   - names: where it comes, from `folder` on; none is `folder` itself.
  ///   - mode: its permissions.
  ///   - linkNames: where a hard link leads, from `folder` on.
  mutating func unpack(
    _ entry: ArchiveEntry, from reader: inout ArchiveReader, names: [[UInt8]],
    into folder: FilePath, mode: UInt16, linkNames: [[UInt8]]? = nil
  ) throws {
    try Task.checkCancellation()
    let mode = keepsSetID ? mode : mode & 0o1777
    let path = try place(names, in: folder, of: entry)
    guard !names.isEmpty || entry.kind == .directory else {
      // A single file that the caller has named.
      throw refusal(entry, "nothing is left of its path")
    }
    if entry.kind != .directory { try makeWay(for: path, of: entry) }
    switch entry.kind {
    case .directory:
      try makeFolder(path, isTop: names.isEmpty, mode: mode, of: entry)
    case .file:
      try write(entry, from: &reader, to: path, mode: mode)
      files.insert(path)
    case .symlink(let target):
      guard !target.contains(0), !target.isEmpty else {
        throw refusal(entry, "its target is no path")
      }
      try root.makeLink(path, to: filePath(target))
      links.insert(path)
    case .hardlink:
      guard let linkNames else { throw refusal(entry, "a link to what is not unpacked") }
      let target = try place(linkNames, in: folder, of: entry)
      guard files.contains(target) else {
        throw refusal(entry, "a hard link to '\(target)', which is not a file of the archive")
      }
      try root.makeHardLink(path, to: target)
      files.insert(path)
    case .characterDevice, .blockDevice, .fifo, .socket:
      throw refusal(entry, "it is neither a file, a folder nor a link")
    }
  }

  /// The path of a member; the folders on its way are no links that the archive has made.
  private func place(
    _ names: [[UInt8]], in folder: FilePath, of entry: ArchiveEntry
  ) throws -> FilePath {
    var path = folder
    for (index, name) in names.enumerated() {
      path.append(filePath(name).components)
      if index + 1 < names.count, links.contains(path) {
        throw refusal(entry, "its path leads through the symbolic link '\(path)'")
      }
    }
    return path
  }

  /// Makes the folders above a path, and takes away a link that stands in its place.
  private mutating func makeWay(for path: FilePath, of entry: ArchiveEntry) throws {
    let parent = path.removingLastComponent()
    if folders.insert(parent).inserted { try root.makeFolders(parent) }
    files.remove(path)
    links.remove(path)
    if try root.status(of: path)?.kind == .folder {
      throw refusal(entry, "there is a folder at '\(path)'")
    }
  }

  private mutating func makeFolder(
    _ path: FilePath, isTop: Bool, mode: UInt16, of entry: ArchiveEntry
  ) throws {
    guard !links.contains(path) else {
      throw refusal(entry, "its path leads through the symbolic link '\(path)'")
    }
    if try root.status(of: path, followsLinks: true)?.kind == .folder {
      folders.insert(path)
      return  // the image's own folders keep their owners and modes
    }
    guard !isTop else { return }
    let parent = path.removingLastComponent()
    if folders.insert(parent).inserted { try root.makeFolders(parent) }
    try root.makeFolder(path, mode: mode)
    folders.insert(path)
  }

  private func write(
    _ entry: ArchiveEntry, from reader: inout ArchiveReader, to path: FilePath, mode: UInt16
  ) throws {
    var failure: (any Error)?
    do {
      try root.write(to: path, mode: mode, owner: .root) { file in
        do {
          var end: Int64 = 0
          try reader.forEachBlock { offset, bytes in
            _ = try file.writeAll(toAbsoluteOffset: offset, bytes)
            end = offset + Int64(bytes.count)
          }
          if let size = entry.size, size > end, ftruncate(file.rawValue, Int(size)) != 0 {
            throw Errno(rawValue: errno)
          }
        } catch {
          failure = error
          throw error
        }
      }
    } catch {
      // What the archive says is better than that writing stopped.
      throw failure is Errno ? error : failure ?? error
    }
  }

  private func refusal(_ entry: ArchiveEntry, _ reason: String) -> CustomiseFailure {
    .refused(
      archive: archive, member: String(decoding: entry.path, as: UTF8.self), reason: reason)
  }
}

/// A path of these bytes.
func filePath(_ bytes: [UInt8]) -> FilePath {
  FilePath(platformString: bytes.map { CChar(bitPattern: $0) } + [0])
}
