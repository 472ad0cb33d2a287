internal import Model

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

/// A path of a recipe's text as the program opens it: relative ones count from their file's folder.
///
/// `.` and `..` are resolved by their text alone, as if no folder were a symbolic link.
func localPath(_ path: String, from file: String) -> String {
  let folder = file.utf8.lastIndex(of: UInt8(ascii: "/")).map { file[...$0] } ?? ""
  let isAbsolute = path.hasPrefix("/") || folder.hasPrefix("/")
  var parts: [Substring] = []
  for part in pathParts(path.hasPrefix("/") ? path : folder + path) where part != "." {
    if part != ".." || parts.isEmpty && !isAbsolute || parts.last == ".." {
      parts.append(part)
    } else {
      _ = parts.popLast()
    }
  }
  let plain = (isAbsolute ? "/" : "") + parts.joined(separator: "/")
  return plain.isEmpty ? "." : plain
}

/// The names in a path.
func pathParts(_ path: String) -> [Substring] { path.split(separator: "/") }
