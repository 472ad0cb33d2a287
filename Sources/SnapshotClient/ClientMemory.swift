internal import Content
internal import FoundationEssentials
internal import Glibc
internal import Model
internal import Publishing
internal import SystemPackage

/// What a client remembers about an image, in one file.
struct ClientMemory: Codable, Equatable {
  /// The highest generation ever seen: a lower one is refused.
  var generation = 0
  /// By version: the disk whose hash was found right.
  var verified: [String: DiskIdentity] = [:]
  /// By version: how the last boots ended, oldest first; true is good.
  var boots: [String: [Bool]] = [:]
  /// Versions that never boot here again, in the order in which they turned out bad.
  var bad: [String] = []
  /// Why they are, of those that are not in the catalog's quarantine yet.
  var unmarked: [String: String] = [:]

  init() {}

  /// Reads the file; nothing is remembered where there is none.
  ///
  /// - Throws: also when it does not read: to forget the generation would be to trust too much.
  init(from file: FilePath) throws {
    guard access(file.string, F_OK) == 0 else { return }
    let bytes = try Data(contentsOf: URL(filePath: file.string))
    do { self = try JSONDecoder().decode(ClientMemory.self, from: bytes) } catch {
      throw CatalogFailure.damaged(file, reason: "it is not what a client remembers")
    }
  }

  func save(to file: FilePath) throws { try writeAtomically(try json(self), to: file) }

  mutating func count(_ boot: Boot, of version: Version, most: Int) {
    let key = version.description
    boots[key] = Array(((boots[key] ?? []) + [boot == .good]).suffix(most))
  }

  func badBoots(of version: Version) -> Int {
    (boots[version.description] ?? []).count { !$0 }
  }

  /// Whether a release ever booted well here, as far as we remember.
  func hasBooted(_ version: Version) -> Bool { boots[version.description]?.contains(true) == true }

  /// Drops what is known about all but the newest versions; the list of bad ones stays.
  mutating func forget(allBut count: Int) {
    for key in boots.keys.sorted().dropLast(count) { boots[key] = nil }
    for key in verified.keys.sorted().dropLast(count) { verified[key] = nil }
  }
}

/// A disk that was hashed once: the same file with the same times holds the same bytes, as it is
/// read-only.
struct DiskIdentity: Codable, Equatable {
  var sha256: String
  var inode: UInt64
  var size: Int
  var changed: Int
  var changedNanoseconds: Int

  init(of release: Release) throws {
    var status = stat()
    guard lstat(release.disk.string, &status) == 0 else {
      throw CatalogFailure.system(
        doing: "inspect", path: release.disk, Errno(rawValue: errno))
    }
    sha256 = release.manifest.disk.sha256.hex
    inode = UInt64(status.st_ino)
    size = Int(status.st_size)
    changed = Int(status.st_ctim.tv_sec)
    changedNanoseconds = Int(status.st_ctim.tv_nsec)
  }
}
