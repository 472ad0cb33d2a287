internal import Content
internal import Imaging
public import Model
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Writes an image of a folder or a tar, and nothing else.
///
/// The image appears under its name, or replaces what bears it, only when all of it is on the disk.
public func makeImage(
  _ request: ImageRequest, events: @escaping EventSink
) throws -> WrittenImage {
  let folder = request.image.removingLastComponent()
  let name = request.image.lastComponent?.string ?? "image"
  let temporary = folder.appending(".\(name).\(getpid()).part")
  let tree = try readTree(request, scratch: folder)
  let epoch = try epoch(of: request, tree)
  var options = ImageOptions(
    size: Int64(request.size), label: request.label, identity: request.label, epoch: epoch,
    inodeCount: request.inodes, jobs: request.jobs ?? processors)
  if let text = request.uuid {
    guard let uuid = VolumeIdentifier(text) else { throw InvalidIdentifier(text: text) }
    options.uuid = uuid
  }
  let clamped = tree.clamped(to: request.epoch)
  let made: WrittenImage
  if request.isHashed {
    let facts = try writeImage(
      of: clamped, to: temporary, options: options, base: request.base, events: events)
    made = WrittenImage(allocatedSize: Int(facts.allocatedSize), sha256: facts.sha256)
  } else {
    let allocated = try writeUnhashedImage(
      of: clamped, to: temporary, options: options, base: request.base, events: events)
    made = WrittenImage(allocatedSize: Int(allocated))
  }
  do {
    guard rename(temporary.string, request.image.string) == 0 else {
      throw Errno(rawValue: errno)
    }
    try synchroniseFolder(folder)
    return made
  } catch {
    unlink(temporary.string)
    throw error
  }
}

private func readTree(_ request: ImageRequest, scratch: FilePath) throws -> Tree {
  // Folders that a tar leaves out get a time that no clock of this machine decides.
  let epoch = UInt32(clamping: request.epoch ?? 0)
  guard let source = request.source else {
    return try scanTar(
      from: .standardInput, name: "standard input", epoch: epoch, scratch: scratch)
  }
  var status = stat()
  guard stat(source.string, &status) == 0 else {
    throw UnreadableInput(path: source.string, reason: Errno(rawValue: errno).description)
  }
  guard status.st_mode & S_IFMT == S_IFDIR else {
    return try scanTar(source, epoch: epoch, scratch: scratch)
  }
  return try scanTree(of: source)
}

/// The time that the file system bears: the request's, else the newest in the tree.
private func epoch(of request: ImageRequest, _ tree: Tree) throws -> UInt32 {
  UInt32(clamping: request.epoch ?? tree.nodes.map { Int($0.modified.seconds) }.max() ?? 0)
}

extension Tree {
  /// The tree with later times than `epoch` made `epoch`; itself without one.
  fileprivate func clamped(to epoch: Int?) -> Tree {
    guard let epoch else { return self }
    return Tree(
      entries: entries,
      nodes: nodes.map { node in
        guard node.modified.seconds >= Int64(epoch) else { return node }
        var node = node
        node.modified = Time(seconds: Int64(epoch))
        return node
      })
  }
}

/// A `--uuid` that is none.
struct InvalidIdentifier: Error, CustomStringConvertible {
  var text: String
  var description: String { "'\(text)' is not a UUID" }
}
