internal import Glibc
public import Model
public import SystemPackage

/// The promise that a release stays as long as someone uses it.
///
/// It is a shared `flock` on the image file. It ends when the last descriptor of that open file is
/// closed: give `descriptor` to the virtual machine's process, and the lease outlives us.
public final class Lease: Sendable {
  public let release: Release
  /// The image file, open for reading; closed on exec unless the caller passes it on.
  public let descriptor: FileDescriptor

  fileprivate init(_ release: Release, _ file: Int32) {
    self.release = release
    descriptor = FileDescriptor(rawValue: file)
  }

  deinit { close(descriptor.rawValue) }
}

extension Catalog {
  /// Leases a release.
  ///
  /// - Parameter version: nil takes the current release.
  public func lease(
    _ image: String, _ version: Version? = nil
  ) throws(CatalogFailure) -> Lease {
    while true {
      let release: Release
      if let version {
        release = try self.release(image, version)
      } else if let current = try current(image) {
        release = current
      } else {
        throw .noImage(image, store: store)
      }
      let path = release.disk
      let file: Int32
      do {
        file = try call("open", path) { open(path.string, O_RDONLY | O_CLOEXEC) }
      } catch .system(_, _, .noSuchFileOrDirectory) where !exists(release.folder) {
        continue  // it was taken away between our looking and opening: look again
      }
      do {
        // A collector holds the exclusive lock for a moment while it takes the release away.
        try call("lease", path) { flock(file, LOCK_SH) }
      } catch {
        close(file)
        throw error
      }
      if isSameInode(file, path) { return Lease(release, file) }
      close(file)  // it was taken away between our looking and our lock: look again
    }
  }

  /// Whether anyone holds a lease of a release; false when its image file is missing.
  public func isLeased(_ release: Release) -> Bool { isUnused(release.disk) == false }
}
