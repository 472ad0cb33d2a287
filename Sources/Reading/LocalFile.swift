internal import Model
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// What a path of the host must name.
enum LocalKind {
  case file
  case fileOrFolder
}

extension Fields {
  /// A file or folder of the host that must exist, as the program opens it.
  mutating func local(_ key: String, _ kind: LocalKind) -> Located<String>? {
    guard let path = string(key, .hostPath) else { return nil }
    let found = localPath(path.value, from: path.position.file)
    switch (isFolder(found), kind) {
    case (nil, .file): refuse(path.position, "'\(key)' names '\(found)', and there is no such file")
    case (nil, .fileOrFolder):
      refuse(path.position, "'\(key)' names '\(found)', and there is no such file or folder")
    case (true, .file): refuse(path.position, "'\(key)' must name a file; '\(found)' is a folder")
    default: return Located(found, at: path.position)
    }
    return nil
  }

  /// Nil when there is nothing under that name.
  private func isFolder(_ path: String) -> Bool? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return status.st_mode & S_IFMT == S_IFDIR
  }
}
