internal import AgentHTTP
internal import Glibc

/// The folder of one session, ours alone: its home, its browser profile, and the pipe through which the
/// program hands over addresses. On tmpfs, so that nothing of it reaches a disk.
struct SessionFolder: Sendable {
  let path: String

  var home: String { "\(path)/home" }
  var profile: String { "\(path)/profile" }
  var programs: String { "\(path)/bin" }
  var pipe: String { "\(path)/links" }

  /// Makes the folder; one that is there already belongs to a session that ended, and is emptied.
  ///
  /// - Parameter agent: this program, which also plays the browser and `xdg-open` under those names.
  static func make(_ path: String, agent: String) throws(SystemFault) -> SessionFolder {
    let folder = SessionFolder(path: path)
    folder.remove()
    for name in [folder.path, folder.home, folder.profile, folder.programs] {
      guard mkdir(name, 0o700) == 0 else { throw SystemFault("make the folder '\(name)'") }
    }
    for name in ["open-url", "xdg-open"] where symlink(agent, "\(folder.programs)/\(name)") != 0 {
      throw SystemFault("link '\(name)'")
    }
    guard mkfifo(folder.pipe, 0o600) == 0 else {
      throw SystemFault("make the pipe '\(folder.pipe)'")
    }
    return folder
  }

  /// Removes all of it; the files of credentials are overwritten first.
  func remove() { removeTree(path) }
}

/// A system call that failed.
struct SystemFault: Error, Hashable, CustomStringConvertible {
  var operation: String
  var code: Int32

  init(_ operation: String) {
    code = errno
    self.operation = operation
  }

  var description: String { "cannot \(operation): \(String(cString: strerror(code)))" }
}

/// Removes a file or a folder with all that is in it, without following links.
func removeTree(_ path: String) {
  var facts = stat()
  guard lstat(path, &facts) == 0 else { return }
  guard facts.st_mode & S_IFMT == S_IFDIR else {
    if facts.st_mode & S_IFMT == S_IFREG, path.hasSuffix(".json") {
      overwrite(path, Int(facts.st_size))
    }
    unlink(path)
    return
  }
  for name in entries(of: path) { removeTree("\(path)/\(name)") }
  rmdir(path)
}

/// The names in a folder, in order.
func entries(of path: String) -> [String] {
  guard let folder = opendir(path) else { return [] }
  defer { closedir(folder) }
  var names: [String] = []
  while let entry = readdir(folder) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != ".", name != ".." { names.append(name) }
  }
  return names.sorted()
}

private func overwrite(_ path: String, _ size: Int) {
  let file = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC)
  guard file >= 0 else { return }
  defer { close(file) }
  let zeros = [UInt8](repeating: 0, count: min(size, 1 << 20))
  // The file goes away in any case.
  _ = write(file, zeros, zeros.count)
}
