internal import Content
internal import Isolation
internal import Model
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Archives of the store once more, in a form that unpacks fast: an ar of members compressed by zstd.
///
/// `<store>/<folder>/<2 digits>/<SHA-256 of the archive>` ends with a member `_sha256`, the hash of the
/// archive's name, its promise and all bytes before it; dpkg passes over names that begin with '_'. A
/// file that does not bear out its hash is made again, so nothing here is trusted by name, nothing waits
/// for the disk, and all of it may be removed when no build runs. Format: ar(5).
struct QuickForms: Sendable {
  private let folder: FilePath

  init(_ store: BlobStore, folder: String) {
    self.folder = store.store.appending(folder)
  }

  /// Where the quick form of an archive is when it is there, byte for byte as it was made; it counts as
  /// used now.
  ///
  /// - Parameter promise: what else must be as it was when the form was made.
  func find(_ hash: ContentHash, promise: String = "") -> FilePath? {
    let path = path(of: hash)
    // What cannot be read is as good as missing.
    guard let file = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec)
    else { return nil }
    defer { close(file.rawValue) }
    var facts = stat()
    guard fstat(file.rawValue, &facts) == 0 else { return nil }
    let length = Int(facts.st_size) - QuickForm.sealLength
    guard length > 0, let seal = try? hash.seal(of: file, length: length, promise: promise)
    else { return nil }
    var found = [UInt8](repeating: 0, count: QuickForm.sealLength)
    guard pread(file.rawValue, &found, found.count, length) == found.count, found == seal
    else { return nil }
    futimens(file.rawValue, nil)
    return path
  }

  /// Makes the quick form of an archive, whose members `fill` adds.
  func make(
    _ hash: ContentHash, promise: String = "", filledBy fill: (inout QuickForm) throws -> Void
  ) throws -> FilePath {
    let path = path(of: hash)
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
        var form = try QuickForm(file)
        try fill(&form)
        try file.writeAll(
          toAbsoluteOffset: Int64(form.length),
          hash.seal(of: file, length: form.length, promise: promise))
        guard fchmod(file.rawValue, 0o444) == 0 else { throw Errno(rawValue: errno) }
      }
      guard rename(part.string, path.string) == 0 else { throw Errno(rawValue: errno) }
    } catch {
      unlink(part.string)
      throw error
    }
    return path
  }

  private func path(of hash: ContentHash) -> FilePath {
    folder.appending(String(hash.hex.prefix(2))).appending(hash.hex)
  }
}

/// A quick form that is being written.
struct QuickForm {
  /// The length of the last member, its header included.
  fileprivate static let sealLength = 60 + 64
  private static let end: [UInt8] = [0x60, 0x0A]

  private let file: FileDescriptor
  fileprivate private(set) var length: Int

  fileprivate init(_ file: FileDescriptor) throws {
    self.file = file
    let magic = Array("!<arch>\n".utf8)
    try file.writeAll(magic)
    length = magic.count
  }

  /// Adds a member as it is.
  mutating func add(_ name: String, _ bytes: [UInt8]) throws {
    try add(name) { [file] in try file.writeAll(bytes) }
  }

  /// Adds a member that is compressed on the way.
  ///
  /// - Parameter read: fills the front of the buffer and returns the number of bytes, 0 at the end.
  mutating func addCompressed(
    _ name: String, reading read: (UnsafeMutableRawBufferPointer) throws -> Int
  ) throws {
    // Level 1 takes a third of the time of level 3 and unpacks as fast.
    try add(name) { [file] in try Zstd.compress(to: file, level: 1, reading: read) }
  }

  private mutating func add(_ name: String, _ write: () throws -> Void) throws {
    let start = length
    try file.seek(offset: Int64(start + 60), from: .start)
    try write()
    let end = Int(try file.seek(offset: 0, from: .current))
    try file.writeAll(
      toAbsoluteOffset: Int64(start), Self.header(name, size: end - start - 60))
    length = end
    if length % 2 == 1 {
      try file.writeAll([UInt8(ascii: "\n")])
      length += 1
    }
  }

  /// A member's header: name, time, owner, group, mode, size.
  fileprivate static func header(_ name: String, size: Int) -> [UInt8] {
    let fields = [(name, 16), ("0", 12), ("0", 6), ("0", 6), ("100644", 8), ("\(size)", 10)]
    let text = fields.map { $0 + String(repeating: " ", count: max(0, $1 - $0.utf8.count)) }
    return Array(text.joined().utf8) + end
  }
}

extension ContentHash {
  /// The last member of the quick form of the archive with this hash.
  fileprivate func seal(
    of file: FileDescriptor, length: Int, promise: String
  ) throws -> [UInt8] {
    var hasher = Hasher256()
    hasher.update(Array("\(hex)\(promise)".utf8))
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
    return QuickForm.header("_sha256", size: 64) + Array(hasher.finish().hex.utf8)
  }
}
