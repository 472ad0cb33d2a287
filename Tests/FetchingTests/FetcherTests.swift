import Content
import Fetching
import Model
import Support
import SystemPackage
import Testing

@Suite("Fetching from sources that work")
struct FetcherTests {
  let table: FetchingTable

  init() throws { table = try FetchingTable() }

  @Test func blobsComeIntoTheStoreLargestFirstAndOnce() async throws {
    let small = table.serve("/small", noise(10))
    let large = table.serve("/large", noise(100_000))
    let empty = table.serve("/empty", [])
    let fetcher = table.fetcher { $0.jobs = 1 }
    try await fetcher.fetch([small, large, empty, small])
    #expect(
      table.server.requests.map(\.path) == ["/large", "/small"], "an empty one needs no request")
    #expect(try table.content(of: large) == noise(100_000))
    #expect(try table.content(of: empty) == [])
    try await fetcher.fetch([small, large])
    #expect(table.server.requests.count == 2, "what is there is not fetched again")
    #expect(try table.parts().isEmpty)
    #expect(table.events.first == .began(.fetch, total: 100_010, unit: .bytes))
    #expect(table.events.last == .ended(.fetch))
    #expect(table.events.contains { if case .advanced(_, 100_010, _) = $0 { true } else { false } })
  }

  @Test func connectionsAreKeptAndLimited() async throws {
    let downloads = (0..<40).map { table.serve("/\($0)", noise(1000, seed: UInt64($0))) }
    try await table.fetcher { $0.jobsPerHost = 3 }.fetch(downloads)
    #expect(table.server.requests.count == 40 && table.server.mostConnections <= 3)
    for download in downloads { #expect(table.store.contains(download.hash)) }
  }

  @Test func aBrokenTransferIsResumedWhereItBroke() async throws {
    let download = table.serve("/a", noise(100_000))
    table.server.fail("/a", .truncated(after: 60_000), times: 1)
    try await table.fetcher().fetch([download])
    #expect(table.server.requests.map { $0.headers["range"] } == [nil, "bytes=60000-"])
    #expect(try table.content(of: download) == noise(100_000))
  }

  @Test func anotherRunResumesWhatFailed() async throws {
    let download = table.serve("/a", noise(100_000))
    table.server.fail("/a", .truncated(after: 60_000), times: 1)
    await #expect(throws: FetchFailure.self) {
      try await table.fetcher { $0.retries = 0 }.fetch([download])
    }
    #expect(!table.store.contains(download.hash))
    #expect(try table.parts() == ["\(download.hash).part"])
    try await table.fetcher().fetch([download])
    #expect(table.server.requests.last?.headers["range"] == "bytes=60000-")
    try table.store.check(download.hash)
  }

  @Test func aServerWithoutRangesSendsAllOfItAgain() async throws {
    let download = table.serve("/a", noise(100_000))
    table.server.obeyRanges(false)
    table.server.fail("/a", .truncated(after: 60_000), times: 1)
    try await table.fetcher().fetch([download])
    #expect(try table.content(of: download) == noise(100_000))
  }

  @Test func aPartThatIsWrongIsForgotten() async throws {
    let download = table.serve("/a", noise(1000))
    try table.folder.write("store/blobs/tmp/\(download.hash).part", noise(600, seed: 2))
    try await table.fetcher().fetch([download])
    #expect(table.server.requests.map { $0.headers["range"] } == ["bytes=600-", nil])
    try table.store.check(download.hash)
  }

  @Test func aPartThatIsWholeNeedsNoRequest() async throws {
    let download = table.serve("/a", noise(1000))
    try table.folder.write("store/blobs/tmp/\(download.hash).part", noise(1000))
    try await table.fetcher().fetch([download])
    #expect(table.server.requests.isEmpty && table.store.contains(download.hash))
  }

  @Test func filesAreCopied() async throws {
    let file = try table.folder.write("mirror/a b", noise(5000))
    let url = "file://" + file.string.replacing(" ", with: "%20")
    var download = table.serve("/unused", noise(5000))
    download.urls = [url + ".gone", url]
    try table.folder.write("store/blobs/tmp/\(download.hash).part", noise(600, seed: 2))
    try await table.fetcher().fetch([download])
    #expect(try table.content(of: download) == noise(5000))
    let short = "file:" + file.string.replacing(" ", with: "%20")
    let bytes = try await table.fetcher().bytes(named: "a", from: [short], limit: 5000)
    #expect(bytes == noise(5000))
  }

  @Test func redirectsAreFollowed() async throws {
    let download = table.serve("/a", noise(1000))
    table.server.fail("/a", .redirect(to: table.server.url("/b")))
    table.server.serve("/b", noise(1000))
    try await table.fetcher().fetch([download])
    try table.store.check(download.hash)
  }

  @Test func aDamagedBlobIsReplacedWithANote() async throws {
    let download = table.serve("/a", noise(1000))
    try await table.fetcher().fetch([download])
    let path = table.store.path(of: download.hash).string
    _ = try runTool("sh", ["-c", "chmod u+w '\(path)' && printf x | dd of='\(path)' conv=notrunc"])
    try await table.fetcher().fetch([download])
    #expect(try table.content(of: download) == noise(1000))
    let notes = table.events.compactMap { if case .note(let text) = $0 { text } else { nil } }
    #expect(notes.count == 1)
    #expect(
      notes.first?.hasPrefix(
        "'thing a' in the store is damaged and was removed: blob '\(download.hash)' "
          + "holds other bytes") == true)
  }

  @Test func smallFilesOfUnknownHashComeIntoMemory() async throws {
    table.server.serve("/InRelease", Array("signed".utf8))
    let urls = [table.server.url("/none"), table.server.url("/InRelease")]
    let bytes = try await table.fetcher().bytes(named: "InRelease", from: urls, limit: 6)
    #expect(bytes == Array("signed".utf8) && table.events.isEmpty)
  }

  @Test func aBlobThatAnotherBringsIsWaitedFor() async throws {
    let download = table.serve("/a", noise(1000))
    guard case .open(let part) = try table.store.receive(download.hash) else {
      throw Errno.fileExists
    }
    let fetcher = table.fetcher()
    async let waiting: Void = fetcher.fetch([download, table.serve("/b", noise(5))])
    try await table.server.waitForRequests(1)
    try part.append(noise(1000))
    try part.commit(expecting: download.hash)
    try await waiting
    #expect(table.server.requests.map(\.path) == ["/b"])
  }

  @Test func aBlobThatAnotherDoesNotGoOnBringingIsBroughtAnyway() async throws {
    let download = table.serve("/a", noise(1000))
    guard case .open(let part) = try table.store.receive(download.hash) else {
      throw Errno.fileExists
    }
    try await table.fetcher { $0.stallLimit = .milliseconds(80) }.fetch([download])
    try table.store.check(download.hash)
    part.discard()
    #expect(try table.parts().isEmpty)
  }

  @Test func manyFetchersShareAStore() async throws {
    let downloads = (0..<10).map { table.serve("/\($0)", noise(20_000, seed: UInt64($0))) }
    try await withThrowingTaskGroup { group in
      for _ in 0..<4 {
        group.addTask { [table] in
          try await table.fetcher(try BlobStore(store: table.store.store)).fetch(downloads)
        }
      }
      try await group.waitForAll()
    }
    for download in downloads { try table.store.check(download.hash) }
    #expect(try table.server.requests.count == 10 && table.parts().isEmpty)
  }

  @Test func aProxyThatIsConfiguredIsUsed() async throws {
    table.server.serve("http://mirror.example/a", noise(10))
    var download = table.serve("/a", noise(10))
    download.urls = ["http://mirror.example/a"]
    let proxy = table.server.url()
    try await table.fetcher { $0.proxies.schemes["http"] = proxy }.fetch([download])
    #expect(table.server.requests.map(\.target) == ["http://mirror.example/a"])
  }
}
