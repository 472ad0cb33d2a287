internal import Content
internal import Isolation
internal import Model
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Debs once more, with their parts compressed by zstd: these unpack ten times as fast as xz.
///
/// `<store>/debs/<2 digits>/<SHA-256 of the deb>` is a deb too. Its last member, `_sha256`, has the hash
/// of the deb's name and of all bytes before it; dpkg passes over names that begin with '_'. A file
/// that does not bear out its hash is made again, so nothing here is trusted by name, nothing waits
/// for the disk, and all of it may be removed at any time; `sweep` removes what is out of use. Format: deb(5), ar(5).
struct QuickDebs: Sendable {
  private let store: BlobStore
  private let folder: FilePath

  init(_ store: BlobStore) {
    self.store = store
    folder = store.store.appending("debs")
  }

  /// Where the quick form of a deb is, checked, and made where it is missing or damaged; the deb
  /// itself, checked, where it cannot be made.
  func path(of package: Lock.Package) throws -> FilePath {
    let hash = package.deb.sha256
    guard store.contains(hash) else { throw PackageFailure.missing(package: package.name) }
    let path = folder.appending(String(hash.hex.prefix(2))).appending(hash.hex)
    if isSound(path, hash) { return path }
    do {
      try store.check(hash)
    } catch BlobFailure.corrupt(_, let actual) {
      throw PackageFailure.damaged(
        package: package.name, reason: "its SHA-256 is \(actual) and not \(hash)")
    } catch BlobFailure.missing {
      throw PackageFailure.missing(package: package.name)
    }
    do {
      try make(path, of: hash)
      return path
    } catch let error as CancellationError {
      throw error
    } catch {
      // No space, a store that cannot be written, a deb that is none: who reads the deb will see.
      return store.path(of: hash)
    }
  }

  /// Whether a file is the quick form of this deb, byte for byte as it was made; it counts as used now.
  private func isSound(_ path: FilePath, _ hash: ContentHash) -> Bool {
    // What cannot be read is as good as missing.
    guard let file = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec)
    else { return false }
    defer { close(file.rawValue) }
    var facts = stat()
    guard fstat(file.rawValue, &facts) == 0 else { return false }
    let length = Int(facts.st_size) - QuickDeb.sealLength
    guard length > 0, let seal = try? hash.seal(of: file, length: length) else { return false }
    var found = [UInt8](repeating: 0, count: QuickDeb.sealLength)
    guard pread(file.rawValue, &found, found.count, length) == found.count, found == seal
    else { return false }
    futimens(file.rawValue, nil)
    return true
  }

  /// Removes what no build has used for so many seconds, and what killed builds left half written.
  ///
  /// - Parameter now: nil: when the newest was used, by the clock that marks files; ours may differ.
  func sweep(keeping age: Int = 30 * 24 * 3600, now: Int? = nil) {
    // What cannot be looked at or removed now is left to the next sweep.
    var files: [(path: FilePath, used: Int)] = []
    for shard in (try? names(in: folder)) ?? [] {
      for name in (try? names(in: folder.appending(shard))) ?? [] {
        let path = folder.appending(shard).appending(name)
        var facts = stat()
        if stat(path.string, &facts) == 0 { files.append((path, facts.st_mtim.tv_sec)) }
      }
    }
    guard let now = now ?? files.map(\.used).max() else { return }
    for (path, used) in files {
      let limit = path.string.hasSuffix(".part") ? min(age, 24 * 3600) : age
      if now - used > limit { unlink(path.string) }
    }
  }

  private func make(_ path: FilePath, of hash: ContentHash) throws {
    let parent = path.removingLastComponent()
    for folder in [folder, parent] {
      guard mkdir(folder.string, 0o777) == 0 || errno == EEXIST
      else { throw Errno(rawValue: errno) }
    }
    // Of two builds the later one wins, with the same content.
    let part = parent.appending(".\(hash.hex).\(getpid()).part")
    let file = try FileDescriptor.open(
      part, .readWrite, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite)
    do {
      try file.closeAfter {
        var deb = try QuickDeb(file)
        try deb.copy(store.path(of: hash))
        try file.writeAll(
          toAbsoluteOffset: Int64(deb.length), hash.seal(of: file, length: deb.length))
        guard fchmod(file.rawValue, 0o444) == 0 else { throw Errno(rawValue: errno) }
      }
      guard rename(part.string, path.string) == 0 else { throw Errno(rawValue: errno) }
    } catch {
      unlink(part.string)
      throw error
    }
  }
}

/// A quick deb that is being written.
private struct QuickDeb {
  /// The length of the last member, its header included.
  static let sealLength = 60 + 64
  private static let end: [UInt8] = [0x60, 0x0A]

  private let file: FileDescriptor
  private(set) var length: Int

  init(_ file: FileDescriptor) throws {
    self.file = file
    let magic = Array("!<arch>\n".utf8)
    try file.writeAll(magic)
    length = magic.count
  }

  /// Copies all members of a deb, the archives among them in another compression.
  mutating func copy(_ path: FilePath) throws {
    var deb = try ArchiveReader.open(path)
    while let member = try deb.next() {
      try Task.checkCancellation()
      let name = String(decoding: member.path, as: UTF8.self)
      guard !name.hasPrefix("_") else { continue }
      let start = length
      try file.seek(offset: Int64(start + 60), from: .start)
      var shown = name
      if let part = ["control.tar", "data.tar"].first(where: { name.hasPrefix($0) }) {
        shown = "\(part).zst"
        try deb.withPlainMember { plain in
          // Level 1 takes a third of the time of level 3 and unpacks as fast.
          try Zstd.compress(to: file, level: 1) { try plain.read(into: $0) }
        }
      } else {
        try file.writeAll(try deb.readAll(limit: 1 << 20))
      }
      let end = Int(try file.seek(offset: 0, from: .current))
      try file.writeAll(
        toAbsoluteOffset: Int64(start), Self.header(shown, size: end - start - 60))
      length = end
      if length % 2 == 1 {
        try file.writeAll([UInt8(ascii: "\n")])
        length += 1
      }
    }
  }

  /// A member's header: name, time, owner, group, mode, size.
  static func header(_ name: String, size: Int) -> [UInt8] {
    let fields = [(name, 16), ("0", 12), ("0", 6), ("0", 6), ("100644", 8), ("\(size)", 10)]
    let text = fields.map { $0 + String(repeating: " ", count: max(0, $1 - $0.utf8.count)) }
    return Array(text.joined().utf8) + end
  }
}

extension ContentHash {
  /// The last member of the quick form of the deb with this hash.
  fileprivate func seal(of file: FileDescriptor, length: Int) throws -> [UInt8] {
    var hasher = Hasher256()
    hasher.update(Array(hex.utf8))
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
    defer { buffer.deallocate() }
    var done = 0
    while done < length {
      let piece = UnsafeMutableRawBufferPointer(
        rebasing: buffer[..<min(buffer.count, length - done)])
      let count = try file.read(fromAbsoluteOffset: Int64(done), into: piece)
      guard count > 0 else { throw Errno.ioError }
      hasher.update(UnsafeRawBufferPointer(rebasing: piece[..<count]))
      done += count
    }
    return QuickDeb.header("_sha256", size: 64) + Array(hasher.finish().hex.utf8)
  }
}
