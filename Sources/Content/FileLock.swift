internal import Synchronization
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Who holds a lock, as it wrote into the lock's file.
public struct LockHolder: Sendable, Equatable {
  public var process: Int
  /// Seconds since 1970.
  public var since: Int
  /// What it does with the lock: `build of 'golden'`.
  public var purpose: String

  public init(process: Int, since: Int, purpose: String) {
    self.process = process
    self.since = since
    self.purpose = purpose
  }

  var text: String { "\(process) \(since) \(purpose)\n" }

  /// Reads what `text` wrote; nil when the holder has not got so far yet.
  init?(text: String) {
    guard text.hasSuffix("\n") else { return nil }
    let parts = text.dropLast().split(
      separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, let process = Int(parts[0]), let since = Int(parts[1])
    else { return nil }
    self.init(process: process, since: since, purpose: String(parts[2]))
  }
}

/// Why a lock could not be had.
public enum LockFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// Another process, or another part of this one, has it; nil when it has just taken it.
  case held(FilePath, by: LockHolder?)
  case failed(FilePath, Errno)

  public var description: String {
    switch self {
    case .held(let path, let holder?):
      "the lock '\(path)' is held by process \(holder.process) since "
        + "\(utc(holder.since)) (\(holder.purpose)); wait for it or end it"
    case .held(let path, nil):
      "the lock '\(path)' is held by another process; wait for it or end it"
    case .failed(let path, let reason): "cannot lock '\(path)': \(reason)"
    }
  }
}

/// An exclusive lock on a file, held until `release()` or until the process is gone, however it goes.
///
/// The file stays behind: to remove it would let two processes lock two files of one name. Hold the
/// lock with `defer { lock.release() }`, since the last reference may go before the scope ends.
public final class FileLock: Sendable {
  private let file: LockFile

  /// Takes the lock at once or not at all; makes the file where there is none.
  ///
  /// - Parameters:
  ///   - purpose: what others are told about the holder, one line.
  ///   - now: seconds since 1970; nil asks the clock.
  public init(_ path: FilePath, for purpose: String, now: Int? = nil) throws(LockFailure) {
    self.file = try LockFile(path)
    let file = self.file.descriptor
    do {
      guard try takeLock(on: file) else {
        throw LockFailure.held(path, by: LockHolder(text: try start(of: file)))
      }
      let holder = LockHolder(
        process: Int(getpid()), since: now ?? time(nil),
        purpose: purpose.replacing("\n", with: " "))
      try file.resize(to: 0)
      _ = try file.writeAll(toAbsoluteOffset: 0, holder.text.utf8)
    } catch let failure as LockFailure {
      throw failure
    } catch { throw .failed(path, systemReason(error)) }
  }

  /// Lets others have the lock; a second call does nothing.
  public func release() { file.release() }
}

/// The open file of a lock. It is closed, and its lock given back, by `release()` or with the last reference.
final class LockFile: Sendable {
  let descriptor: FileDescriptor
  private let isOpen = Mutex(true)

  /// Opens the file, and makes it where there is none.
  init(_ path: FilePath) throws(LockFailure) {
    do {
      descriptor = try FileDescriptor.open(
        path, .readWrite, options: [.create, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
    } catch { throw .failed(path, systemReason(error)) }
  }

  /// A second call does nothing.
  func release() {
    isOpen.withLock { isOpen in
      // Closing gives the lock back even where it reports an error.
      if isOpen { try? descriptor.close() }
      isOpen = false
    }
  }

  deinit { release() }
}

/// Takes the lock of an open file, exclusive or shared; false when another open file has it and nobody waits.
func takeLock(
  on file: FileDescriptor, isShared: Bool = false, waits: Bool = false
) throws(Errno) -> Bool {
  while flock(file.rawValue, (isShared ? LOCK_SH : LOCK_EX) | (waits ? 0 : LOCK_NB)) != 0 {
    let reason = Errno(rawValue: errno)
    if reason == .wouldBlock { return false }
    guard reason == .interrupted else { throw reason }
  }
  return true
}

/// The `Errno` behind an error of a system call.
func systemReason(_ error: any Error) -> Errno { error as? Errno ?? .ioError }

/// The first 4096 bytes of a file, as text.
private func start(of file: FileDescriptor) throws -> String {
  let bytes = try [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
    count = try file.read(fromAbsoluteOffset: 0, into: UnsafeMutableRawBufferPointer(buffer))
  }
  return String(decoding: bytes, as: UTF8.self)
}

/// A time in UTC: `2026-01-31 23:59:59 UTC`.
private func utc(_ seconds: Int) -> String {
  var (seconds, parts) = (time_t(seconds), tm())
  gmtime_r(&seconds, &parts)
  func padded(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
  return "\(parts.tm_year + 1900)-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday)) "
    + "\(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec)) UTC"
}
