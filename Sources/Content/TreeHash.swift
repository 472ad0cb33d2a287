public import Model
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// A local source that could not be read.
public struct UnreadableInput: Error, Sendable, CustomStringConvertible {
  public var path: String
  public var reason: String

  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }

  public var description: String { "reading the source '\(path)': \(reason)" }
}

/// What a file holds, or a folder with all that is in it.
public struct TreeFacts: Sendable, Equatable {
  /// A path and a line that says what is there.
  public struct Path: Sendable, Equatable {
    /// From the top, which is `.`.
    public var name: String
    public var line: String
  }

  /// Over paths, kinds, whether owners may execute, link targets and contents; not owners, times or
  /// other permission bits, which differ between check-outs.
  public var sha256: ContentHash
  /// When something in it last changed, in seconds since 1970.
  public var changed: Int
  /// All paths of a folder, or the only one of a file.
  public var paths: [Path]

  public init(sha256: ContentHash, changed: Int, paths: [Path] = []) {
    self.sha256 = sha256
    self.changed = changed
    self.paths = paths
  }

  /// - Throws: `UnreadableInput`; `Errno` where a file cannot be read.
  public init(of path: FilePath) throws {
    var reader = TreeReader()
    try reader.describe(path, as: ".")
    sha256 = ContentHash(of: reader.paths.map(\.line).joined(separator: "\n"))
    changed = reader.changed
    paths = reader.paths
  }
}

private struct TreeReader {
  var paths: [TreeFacts.Path] = []
  var changed = 0

  mutating func describe(_ path: FilePath, as name: String) throws {
    var status = stat()
    guard lstat(path.string, &status) == 0 else { throw unreadable(path, errno) }
    changed = max(changed, status.st_mtim.tv_sec)
    let quoted = name.debugDescription
    switch status.st_mode & S_IFMT {
    case S_IFDIR:
      paths.append(.init(name: name, line: "folder \(quoted)"))
      for child in try names(in: path) {
        try describe(path.appending(child), as: name + "/" + child)
      }
    case S_IFLNK:
      var target = [CChar](repeating: 0, count: Int(PATH_MAX))
      let count = readlink(path.string, &target, target.count)
      guard count >= 0 else { throw unreadable(path, errno) }
      let bytes = target[..<count].map { UInt8(bitPattern: $0) }
      paths.append(.init(name: name, line: "link \(quoted) \(ContentHash(of: bytes))"))
    case S_IFREG:
      let mode = status.st_mode & S_IXUSR == 0 ? "file" : "program"
      paths.append(.init(name: name, line: "\(mode) \(quoted) \(try ContentHash(ofFile: path))"))
    default:
      throw UnreadableInput(path: path.string, reason: "neither a file, a folder nor a link")
    }
  }
}

private func unreadable(_ path: FilePath, _ number: CInt) -> UnreadableInput {
  UnreadableInput(path: path.string, reason: Errno(rawValue: number).description)
}
