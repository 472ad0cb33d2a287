internal import Synchronization

/// Which package makes which path, shared by the threads that unpack.
///
/// What it says at the end does not depend on which thread came first: a folder's attributes are
/// those of the first package of the plan, and of two packages that collide it names the later one.
final class PathClaims: Sendable {
  /// Attributes of a folder as its first package in the plan has them.
  struct Folder: Sendable {
    var package: Int
    var mode: UInt16
    var uid: UInt32
    var gid: UInt32
    var modified: Int64
  }

  private enum Claim {
    case folder(Folder)
    case file(package: Int)
    /// A link to a folder that was there before any folder: folders of its name are that link.
    case folderLink
  }

  private struct State {
    var claims: [ImagePath: Claim] = [:]
    var collisions: Set<Int> = []
  }

  private let state = Mutex(State())

  /// Positions of packages that cannot be unpacked beside an earlier one.
  var collisions: Set<Int> { state.withLock { $0.collisions } }

  /// All folders but those that are links, sorted by path.
  var folders: [(path: ImagePath, folder: Folder)] {
    let claims = state.withLock { $0.claims }
    return claims.compactMap { path, claim in
      if case .folder(let folder) = claim { (path, folder) } else { nil }
    }.sorted { $0.path < $1.path }
  }

  func claim(_ path: ImagePath, as folder: Folder) {
    state.withLock { state in
      switch state.claims[path] {
      case nil: state.claims[path] = .folder(folder)
      case .folder(let other):
        if folder.package < other.package { state.claims[path] = .folder(folder) }
      case .file(let other): state.collisions.insert(max(other, folder.package))
      case .folderLink: break
      }
    }
  }

  /// Claims a path for anything but a folder.
  ///
  /// - Returns: false when another has it; the entry must then be left out.
  func claimFile(_ path: ImagePath, for package: Int, isFolderLink: Bool = false) -> Bool {
    state.withLock { state in
      switch state.claims[path] {
      case nil:
        state.claims[path] = isFolderLink ? .folderLink : .file(package: package)
        return true
      case .folder(let other): state.collisions.insert(max(other.package, package))
      case .file(let other): state.collisions.insert(max(other, package))
      case .folderLink: state.collisions.insert(package)
      }
      return false
    }
  }

  /// Notes that a package meets something in the root that nobody claimed under that name.
  func collide(_ package: Int) { state.withLock { _ = $0.collisions.insert(package) } }

  /// Whether the path is a file of this package, and so may get another name by a hard link.
  func isFile(_ path: ImagePath, of package: Int) -> Bool {
    state.withLock {
      if case .file(let owner) = $0.claims[path] { owner == package } else { false }
    }
  }
}
