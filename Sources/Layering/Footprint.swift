internal import Content
internal import Isolation
internal import Model
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// What was at the places that a layer touches, before it was made.
///
/// Unpacking an archive looks at nothing else of a root. So its layer serves in another root, too, where
/// all of these places look the same.
enum Footprint {
  struct Place: Codable, Sendable, Hashable {
    /// In the root, with a leading slash.
    var path: String
    /// Kind, and what of it matters: mode and owner of folders, targets of links.
    var state: String
  }

  /// The places that a layer's tree has, and `others` with all folders above them, as they are in the
  /// root below it.
  static func places(
    of tree: FilePath, and others: [String], below root: FilePath
  ) throws -> [Place] {
    var paths: Set<String> = []
    for other in others {
      var path = FilePath(other)
      while path.lastComponent != nil {
        paths.insert(path.string)
        path.removeLastComponent()
      }
    }
    func list(_ folder: FilePath, _ path: FilePath) throws {
      for name in try names(in: folder) {
        let (child, place) = (folder.appending(name), path.appending(name))
        paths.insert(place.string)
        var facts = stat()
        if lstat(child.string, &facts) == 0, facts.st_mode & S_IFMT == S_IFDIR {
          try list(child, place)
        }
      }
    }
    try list(tree, "/")
    let root = try RootFolder(root)
    return try paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map {
      Place(path: $0, state: try state(of: $0, in: root))
    }
  }

  /// Whether all places look in a root as they did.
  static func fits(_ places: [Place], _ root: FilePath) throws -> Bool {
    let root = try RootFolder(root)
    return try places.allSatisfy { try state(of: $0.path, in: root) == $0.state }
  }

  static func hash(_ places: [Place]) -> ContentHash {
    ContentHash(
      of: places.map { "\($0.path.debugDescription) \($0.state)" }.joined(separator: "\n"))
  }

  private static func state(of path: String, in root: RootFolder) throws -> String {
    guard let status = try root.status(of: FilePath(path)) else { return "-" }
    switch status.kind {
    case .folder: return "folder \(status.mode) \(status.uid) \(status.gid)"
    case .link: return "link \(try root.target(ofLink: FilePath(path)) ?? "")"
    default: return "file"
    }
  }
}
