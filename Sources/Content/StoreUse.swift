public import SystemPackage

#if canImport(Glibc)
  package import Glibc
#endif

/// The right to take from a store what it keeps for builds.
///
/// All that build share it; who removes from there has it alone. It ends with the process, however that ends.
public final class StoreUse: Sendable {
  private let file: LockFile
  /// When it began, in nanoseconds since 1970, by the clock that marks the store's files.
  public let since: Int

  /// Waits until nobody removes anything.
  ///
  /// - Parameter path: the lock's file; made where there is none.
  public convenience init(_ path: FilePath) throws(LockFailure) {
    let file = try LockFile(path)
    do {
      guard try takeLock(on: file.descriptor, isShared: true, waits: true)
      else { throw Errno.wouldBlock }
      guard futimens(file.descriptor.rawValue, nil) == 0 else { throw Errno(rawValue: errno) }
    } catch { throw .failed(path, systemReason(error)) }
    self.init(file)
  }

  /// To remove something; nil while anyone builds.
  public static func alone(_ path: FilePath) throws(LockFailure) -> StoreUse? {
    let file = try LockFile(path)
    do {
      return try takeLock(on: file.descriptor) ? StoreUse(file) : nil
    } catch { throw .failed(path, systemReason(error)) }
  }

  private init(_ file: LockFile) {
    var facts = stat()
    fstat(file.descriptor.rawValue, &facts)  // of an open file: cannot fail
    since = facts.modified
    self.file = file
  }

  /// Gives it up; a second call does nothing.
  public func release() { file.release() }
}

extension stat {
  /// When the content was last modified, in nanoseconds since 1970.
  package var modified: Int { st_mtim.tv_sec * 1_000_000_000 + st_mtim.tv_nsec }
}
