import Content
import Model
import Support
import SystemPackage
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite("The blob store")
struct BlobStoreTests {
  let folder: TemporaryFolder
  let store: BlobStore
  let hello = Array("hello\n".utf8)
  let helloHash = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

  init() throws {
    folder = try TemporaryFolder()
    store = try BlobStore(store: folder / "a/store")
  }

  @Test func aBlobIsAReadOnlyFileNamedByItsHash() throws {
    let hash = try store.add(hello)
    let path = folder / "a/store/blobs/sha256/58/\(helloHash)"
    #expect(hash.hex == helloHash && store.path(of: hash) == path)
    #expect(try runTool("sha256sum", [path.string]).output.hasPrefix(helloHash))
    #expect(try runTool("stat", ["-c", "%a %s", path.string]).output == "444 6\n")
    #expect(store.contains(hash) && store.size(of: hash) == 6)
    try store.check(hash)
  }

  @Test func aFileIsCopiedIn() throws {
    let bytes = [UInt8](repeating: 7, count: 3 << 20)
    let hash = try store.add(file: try folder.write("big", bytes))
    #expect(hash == ContentHash(of: bytes) && store.size(of: hash) == 3 << 20)
    #expect(try parts().isEmpty)
  }

  @Test func aFileThatHoldsOtherBytesThanExpectedIsRefused() throws {
    let expected = ContentHash(of: "x")
    let file = try folder.write("file", hello)
    #expect(throws: BlobFailure.corrupt(expected: expected, actual: ContentHash(of: hello))) {
      try store.add(file: file, expecting: expected)
    }
    #expect(try parts().isEmpty && !store.contains(expected))
  }

  @Test func aMissingBlobSaysSo() throws {
    let failure = #expect(throws: BlobFailure.self) { try store.check(ContentHash(of: hello)) }
    #expect(failure?.description == "blob '\(helloHash)' is not in the store")
  }

  @Test func aBlobWithAFlippedByteIsReportedAndRemoved() throws {
    let hash = try store.add(hello)
    chmod(store.path(of: hash).string, 0o644)
    let file = try FileDescriptor.open(store.path(of: hash), .writeOnly)
    try file.closeAfter { _ = try file.writeAll("j".utf8) }
    #expect(throws: BlobFailure.corrupt(expected: hash, actual: ContentHash(of: "jello\n"))) {
      try store.check(hash)
    }
    #expect(!store.contains(hash))
    try store.add(hello)
    try store.check(hash)
  }

  @Test func anUnfinishedBlobHasNoNameAndIsResumed() throws {
    let hash = ContentHash(of: hello)
    do {
      let part = try #require(try open(hash))
      try append(hello.prefix(4), to: part)
    }
    #expect(!store.contains(hash))
    let part = try #require(try open(hash))
    #expect(part.length == 4)
    try append(hello.suffix(2), to: part)
    try part.commit(expecting: hash, size: 6)
    try store.check(hash)
    #expect(try parts().isEmpty)
    guard case .present = try store.receive(hash) else { throw Errno.fileExists }
  }

  @Test func wrongBytesAreRefusedAndCanBeSentAnew() throws {
    let hash = ContentHash(of: hello)
    let part = try #require(try open(hash))
    try append(Array("help!\n".utf8), to: part)
    #expect(throws: BlobFailure.corrupt(expected: hash, actual: ContentHash(of: "help!\n"))) {
      try part.commit(expecting: hash, size: 6)
    }
    try append(hello.prefix(3), to: part)
    #expect(throws: BlobFailure.wrongSize(hash, expected: 6, actual: 3)) {
      try part.commit(expecting: hash, size: 6)
    }
    #expect(part.length == 0 && !store.contains(hash))
    try append(hello[...], to: part)
    try part.commit(expecting: hash, size: 6)
    try store.check(hash)
  }

  @Test func aBlobThatAnotherBringsIsBusy() throws {
    let hash = ContentHash(of: hello)
    let part = try #require(try open(hash))
    try append(hello[...], to: part)
    guard case .busy(let length) = try store.receive(hash) else { throw Errno.fileExists }
    #expect(length == 6)
    #expect(try store.sweep(keeping: 0) == 0, "parts that are written are not swept")
    try part.commit(expecting: hash)
    guard case .present = try store.receive(hash) else { throw Errno.fileExists }
  }

  @Test func manyAtOnceBringTheSameBlob() async throws {
    try await withThrowingTaskGroup(of: ContentHash.self) { group in
      for _ in 0..<16 {
        group.addTask { [store, hello] in try BlobStore(store: store.store).add(hello) }
      }
      for try await hash in group { try store.check(hash) }
    }
    #expect(try parts().isEmpty)
  }

  @Test func staleAnonymousPartsAreSweptAndResumableOnesKeptForAWeek() throws {
    let hash = ContentHash(of: hello)
    try folder.write("a/store/blobs/tmp/123-456.part", "left behind")
    try append(hello.prefix(2), to: try #require(try open(hash)))
    #expect(try store.sweep() == 1)
    #expect(try parts() == ["\(hash).part"])
    #expect(try store.sweep(now: time(nil) + 8 * 24 * 3600) == 1)
    #expect(try parts().isEmpty)
  }

  @Test func aProcessKilledInTheMiddleLeavesAPartToResume() async throws {
    let hash = ContentHash(of: hello)
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = store.store.string as String] in
      let store = try BlobStore(store: FilePath(path))
      let hello = Array("hello\n".utf8)
      guard case .open(let part) = try store.receive(ContentHash(of: hello)) else { return }
      try part.append(Array(hello.prefix(4)))
      kill(getpid(), SIGKILL)
    }
    #expect(!store.contains(hash))
    let part = try #require(try open(hash))
    #expect(part.length == 4)
    try append(hello.suffix(2), to: part)
    try part.commit(expecting: hash, size: 6)
    try store.check(hash)
  }

  @Test(.enabled(if: canMountSmallDisks, "needs root and unshare"))
  func aFullDiskIsNamedAndLeavesNothing() throws {
    let disk = try SmallDisk(size: 64 << 10)
    let store = try BlobStore(store: disk.path)
    let bytes = [UInt8](repeating: 1, count: 1 << 20)
    let failure = #expect(throws: BlobFailure.self) { try store.add(bytes) }
    #expect(
      failure?.description == "the store's disk is full: no room left in '\(disk.path)'; "
        + "free some space or name another store with --store")
    #expect(!store.contains(ContentHash(of: bytes)))
    try store.check(try store.add(hello))
    #expect(try runTool("ls", [disk.path.string + "/blobs/tmp"]).output.isEmpty)
  }

  @Test func aFolderThatCannotBeMadeIsNamed() throws {
    let file = try folder.write("file", "")
    let failure = #expect(throws: BlobFailure.self) { try BlobStore(store: file.appending("s")) }
    #expect(
      failure?.description
        == "cannot make the folder '\(file)/s/blobs/sha256': Not a directory")
  }

  private func open(_ hash: ContentHash) throws -> IncomingBlob? {
    guard case .open(let part) = try store.receive(hash) else { return nil }
    return part
  }

  private func append(_ bytes: some Sequence<UInt8>, to part: IncomingBlob) throws {
    try part.append(Array(bytes))
  }

  private func parts() throws -> [String] {
    try runTool("ls", [store.store.string + "/blobs/tmp"]).output.split(separator: "\n")
      .map(String.init)
  }
}
