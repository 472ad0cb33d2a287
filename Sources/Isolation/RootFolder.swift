internal import CSandbox
internal import Glibc
public import SystemPackage

/// Why something inside a root could not be done.
public struct RootFailure: Error, Sendable, Equatable, CustomStringConvertible {
  public var operation: String
  /// In the root.
  public var path: FilePath
  public var code: Int32

  public init(_ operation: String, _ path: FilePath, _ code: Int32) {
    self.operation = operation
    self.path = path
    self.code = code
  }

  public var description: String { "cannot \(operation) '\(path)': \(message(of: code))" }
}

/// A folder that is a file system of its own: no path leads out of it.
///
/// Paths count from it, with or without a leading '/'. Symbolic links on the way are followed as they
/// would be if the folder were `/`, and `..` stops at it, so that a tree made by others cannot direct
/// a write of ours to the host. The kernel does this (openat2, Linux 5.6).
///
/// Operations act on the last part of a path itself, also where it is a link, unless they say otherwise.
public final class RootFolder: Sendable {
  /// Where it is on the host.
  public let path: FilePath
  let descriptor: FileDescriptor

  public init(_ path: FilePath) throws(RootFailure) {
    let number = Glibc.open(path.string, CSANDBOX_O_PATH | O_DIRECTORY | O_CLOEXEC)
    guard number >= 0 else { throw RootFailure("open", path, errno) }
    self.path = path
    descriptor = FileDescriptor(rawValue: number)
  }

  deinit { Glibc.close(descriptor.rawValue) }

  /// Opens a file; links are followed, the last part too.
  public func open(
    _ path: FilePath, _ access: FileDescriptor.AccessMode = .readOnly,
    options: FileDescriptor.OpenOptions = [], mode: UInt16 = 0o644
  ) throws(RootFailure) -> FileDescriptor {
    let number = openInside(path, access.rawValue | options.rawValue, mode)
    guard number >= 0 else { throw RootFailure("open", path, -number) }
    return FileDescriptor(rawValue: number)
  }

  /// What is at a path, or nil when nothing is.
  public func status(
    of path: FilePath, followsLinks: Bool = false
  ) throws(RootFailure) -> FileStatus? {
    let flags = CSANDBOX_O_PATH | (followsLinks ? 0 : O_NOFOLLOW)
    let number = openInside(path, flags)
    guard number >= 0 else {
      if number == -ENOENT || number == -ENOTDIR { return nil }
      throw RootFailure("look at", path, -number)
    }
    defer { Glibc.close(number) }
    var facts = stat()
    guard fstat(number, &facts) == 0 else { throw RootFailure("look at", path, errno) }
    return FileStatus(facts)
  }

  /// The content of a file, or nil when there is none; links are followed.
  public func contents(of path: FilePath) throws(RootFailure) -> [UInt8]? {
    let number = openInside(path, O_RDONLY)
    guard number >= 0 else {
      if number == -ENOENT || number == -ENOTDIR { return nil }
      throw RootFailure("open", path, -number)
    }
    let file = FileDescriptor(rawValue: number)
    defer { Glibc.close(number) }
    do { return try bytes(from: file) } catch {
      throw RootFailure("read", path, (error as? Errno)?.rawValue ?? EIO)
    }
  }

  /// Where a symbolic link leads, or nil when the path is none.
  public func target(ofLink path: FilePath) throws(RootFailure) -> FilePath? {
    guard try status(of: path)?.kind == .link else { return nil }
    return try withParent(of: path) { folder, name throws(RootFailure) in
      var buffer = [CChar](repeating: 0, count: 4097)
      let count = name.withPlatformString { readlinkat(folder, $0, &buffer, buffer.count - 1) }
      guard count >= 0 else { throw RootFailure("read", path, errno) }
      buffer[count] = 0
      return FilePath(platformString: buffer)
    }
  }

  /// The names in a folder, sorted by their bytes; links are followed.
  public func names(in path: FilePath) throws(RootFailure) -> [FilePath.Component] {
    let folder = try open(path, options: .directory)
    guard let stream = fdopendir(folder.rawValue) else {
      let code = errno
      Glibc.close(folder.rawValue)
      throw RootFailure("read", path, code)
    }
    defer { closedir(stream) }
    var names: [FilePath.Component] = []
    errno = 0
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
          FilePath.Component(platformString: $0)
        }
      }
      if let name, name.kind == .regular { names.append(name) }
    }
    guard errno == 0 else { throw RootFailure("read", path, errno) }
    return names.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
  }

  /// Opens a path in the root: a descriptor, or minus an error number.
  private func openInside(_ path: FilePath, _ flags: Int32, _ mode: UInt16 = 0) -> Int32 {
    let inside: FilePath = path.isEmpty ? "." : path
    return inside.withPlatformString {
      let number = csandbox_open_in_root(descriptor.rawValue, $0, flags, mode_t(mode))
      return number < 0 ? -errno : number
    }
  }

  /// Calls `body` with the folder that holds the last part of a path, and that part's name.
  func withParent<Result>(
    of path: FilePath, _ body: (Int32, FilePath.Component) throws(RootFailure) -> Result
  ) throws(RootFailure) -> Result {
    guard let name = path.lastComponent, name.kind == .regular else {
      throw RootFailure("use", path, EINVAL)
    }
    let parent = path.removingLastComponent()
    let number = openInside(parent, CSANDBOX_O_PATH | O_DIRECTORY)
    guard number >= 0 else { throw RootFailure("reach", path, -number) }
    defer { Glibc.close(number) }
    return try body(number, name)
  }
}

extension FilePath.Component {
  /// The name's bytes.
  public var bytes: [UInt8] {
    withPlatformString { Array(UnsafeBufferPointer(start: $0, count: strlen($0))) }
      .map(UInt8.init(bitPattern:))
  }
}
