import Content
import Support
import SystemPackage
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite("File locks")
struct FileLockTests {
  let folder: TemporaryFolder
  let path: FilePath

  init() throws {
    folder = try TemporaryFolder()
    path = folder / "lock"
  }

  @Test func aSecondOneIsToldWhoHoldsIt() throws {
    let lock = try FileLock(path, for: "build of 'golden'", now: 1_700_000_000)
    let failure = #expect(throws: LockFailure.self) { try FileLock(path, for: "another") }
    let holder = LockHolder(
      process: Int(getpid()), since: 1_700_000_000, purpose: "build of 'golden'")
    #expect(failure == .held(path, by: holder))
    #expect(
      failure?.description == "the lock '\(path)' is held by process \(getpid()) since "
        + "2023-11-14 22:13:20 UTC (build of 'golden'); wait for it or end it")
    lock.release()
    try FileLock(path, for: "another").release()
  }

  @Test func itIsFreeOnceItsHolderIsKilled() async throws {
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = path.string as String] in
      let lock = try FileLock(FilePath(path), for: "a long record that the next one overwrites")
      withExtendedLifetime(lock) { _ = kill(getpid(), SIGKILL) }
    }
    let lock = try FileLock(path, for: "next", now: 5)
    #expect(
      throws: LockFailure.held(
        path, by: LockHolder(process: Int(getpid()), since: 5, purpose: "next"))
    ) { try FileLock(path, for: "another") }
    lock.release()
  }

  @Test func aHolderThatHasNotWrittenItsNameYetIsHeldByAnother() throws {
    let file = try FileDescriptor.open(
      path, .readWrite, options: .create, permissions: .ownerReadWrite)
    try file.closeAfter {
      #expect(flock(file.rawValue, LOCK_EX) == 0)
      let failure = #expect(throws: LockFailure.self) { try FileLock(path, for: "another") }
      #expect(
        failure?.description
          == "the lock '\(path)' is held by another process; wait for it or end it")
    }
  }

  @Test func aFolderThatIsNotThereIsNamed() {
    let path = folder / "none/lock"
    let failure = #expect(throws: LockFailure.self) { try FileLock(path, for: "x") }
    #expect(failure?.description == "cannot lock '\(path)': No such file or directory")
  }
}
