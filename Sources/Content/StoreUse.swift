internal import Synchronization
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// The right to take from a store what it keeps for builds.
///
/// All that build share it; who removes from there has it alone. It ends with the process, however that ends.
public final class StoreUse: Sendable {
  private let file: Mutex<FileDescriptor?>
  /// When it began, in nanoseconds since 1970, by the clock that marks the store's files.
  public let since: Int

  /// Waits until nobody removes anything.
  ///
  /// - Parameter path: the lock's file; made where there is none.
  public convenience init(_ path: FilePath) throws(LockFailure) {
    let file = try Self.open(path)
    do {
      guard try takeLock(on: file, isShared: true, waits: true) else { throw Errno.wouldBlock }
      guard futimens(file.rawValue, nil) == 0 else { throw Errno(rawValue: errno) }
      self.init(file)
    } catch {
      try? file.close()  // given up anyway
      throw .failed(path, systemReason(error))
    }
  }

  /// To remove something; nil while anyone builds.
  public static func alone(_ path: FilePath) throws(LockFailure) -> StoreUse? {
    let file = try open(path)
    do {
      if try takeLock(on: file) { return StoreUse(file) }
      try file.close()
      return nil
    } catch {
      try? file.close()  // given up anyway
      throw .failed(path, systemReason(error))
    }
  }

  private init(_ file: FileDescriptor) {
    var facts = stat()
    fstat(file.rawValue, &facts)  // of an open file: cannot fail
    since = facts.modified
    self.file = Mutex(file)
  }

  private static func open(_ path: FilePath) throws(LockFailure) -> FileDescriptor {
    do {
      return try FileDescriptor.open(
        path, .readWrite, options: [.create, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
    } catch { throw .failed(path, systemReason(error)) }
  }

  /// Gives it up; a second call does nothing.
  public func release() {
    file.withLock { file in
      // Closing gives the lock back even where it reports an error.
      try? file?.close()
      file = nil
    }
  }

  deinit { release() }
}

extension stat {
  /// Nanoseconds since 1970.
  var modified: Int { st_mtim.tv_sec * 1_000_000_000 + st_mtim.tv_nsec }
}
