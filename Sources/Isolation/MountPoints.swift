internal import SystemPackage

/// The places in a root where a sandbox mounts; those that are missing are made, and go afterwards.
struct MountPoints {
  private let root: RootFolder
  private var made: [FilePath] = []

  init(for sandbox: Sandbox, hasNetwork: Bool) throws {
    root = try RootFolder(sandbox.root)
    do {
      for folder in ["/dev", "/proc", "/sys", "/tmp", "/run"] { try makeFolder(FilePath(folder)) }
      for bind in sandbox.binds {
        if try FileStatus(of: bind.source).kind == .folder {
          try makeFolder(bind.target)
        } else {
          try makeFile(bind.target)
        }
      }
      if hasNetwork, try root.status(of: "/etc/resolv.conf") == nil {
        try makeFile("/etc/resolv.conf")
      }
    } catch {
      remove()
      throw error
    }
  }

  private mutating func makeFolder(_ path: FilePath) throws {
    made += try root.makeFolders(path)
  }

  private mutating func makeFile(_ path: FilePath) throws {
    made += try root.makeFolders(path.removingLastComponent())
    guard try root.status(of: path, followsLinks: true) == nil else { return }
    try root.write([], to: path)
    made.append(path)
  }

  /// Takes away what was made.
  func remove() {
    // A folder in which the command left something is the command's now.
    for path in made.reversed() { try? root.removeFileOrEmptyFolder(path) }
  }
}
