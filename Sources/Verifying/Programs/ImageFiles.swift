internal import Isolation
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// The programs and libraries of a root, each read once.
final class ImageFiles {
  /// What a path in the root turned out to be; `path` is the one without links.
  struct Found {
    var path: FilePath
    var elf: ELF?
    var isExecutable: Bool
    var size: Int
    /// The first bytes, of scripts the whole of it up to 64 KiB.
    var start: [UInt8]
  }

  let root: RootFolder
  private let base: FilePath
  private var known: [FilePath: Found] = [:]

  init(_ root: RootFolder) throws {
    self.root = root
    base = try Self.hostPath(of: try root.open("/", options: .directory))
  }

  /// What is at a path, links followed; nil where no file is.
  func file(at path: FilePath) throws -> Found? {
    if let found = known[path] { return found }
    guard let status = try root.status(of: path, followsLinks: true), status.kind == .file
    else { return nil }
    let file = try root.open(path)
    defer { try? file.close() }  // only read from
    var start = [UInt8](repeating: 0, count: min(status.size, 1 << 16))
    let count = try start.withUnsafeMutableBytes {
      try file.read(fromAbsoluteOffset: 0, into: $0)
    }
    start = Array(start.prefix(count))
    let found = Found(
      path: try realPath(of: file), elf: try ELF(file), isExecutable: status.mode & 0o111 != 0,
      size: status.size, start: start.starts(with: ELF.magic) ? [] : start)
    known[path] = found
    return found
  }

  /// Where an open file lies in the root.
  private func realPath(of file: FileDescriptor) throws -> FilePath {
    let path = try Self.hostPath(of: file, closes: false)
    let inside = path.string.dropFirst(base.string == "/" ? 0 : base.string.utf8.count)
    return FilePath(inside.isEmpty ? "/" : String(inside))
  }

  /// What the kernel says of an open file's place.
  private static func hostPath(of file: FileDescriptor, closes: Bool = true) throws -> FilePath {
    defer {
      if closes { Glibc.close(file.rawValue) }
    }
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    let count = readlink("/proc/self/fd/\(file.rawValue)", &buffer, buffer.count - 1)
    guard count >= 0 else { throw Errno(rawValue: errno) }
    return FilePath(
      String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self))
  }
}
