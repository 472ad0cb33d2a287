import Content
import Fetching
import Model
import Support
import SystemPackage
import Testing

@Suite("Fetching from sources that fail")
struct FetchFaultTests {
  let table: FetchingTable
  let download: Download
  var server: LoopbackServer { table.server }

  init() throws {
    table = try FetchingTable()
    download = table.serve("/a", noise(1000))
  }

  @Test(
    "a fault that passes is overcome, with a pause",
    arguments: [
      .status(500), .status(503), .status(408), .tooManyRequests(retryAfter: "7"),
      .truncated(after: 300), .truncated(after: 0), .reset(after: 300), .reset(after: nil),
      .stalled(after: 300), .stalled(after: nil), .wrongByte, .longer(by: 5), .slow(piece: 100),
    ] as [LoopbackServer.Fault])
  func passingFault(fault: LoopbackServer.Fault) async throws {
    server.fail("/a", fault, times: 2)
    try await table.fetcher { $0.expect(fault) }.fetch([download])
    #expect(try table.content(of: download) == noise(1000) && table.parts().isEmpty)
  }

  @Test(
    "a fault that stays is told",
    arguments: [
      (.status(503), "cannot fetch 'thing a': 'URL': the server answers 503"),
      (.status(403), "cannot fetch 'thing a': 'URL': the server answers 403"),
      (.tooManyRequests(retryAfter: "7"), "cannot fetch 'thing a': 'URL': the server answers 429"),
      (
        .status(404),
        "not found: 'thing a' at 'URL'; the source may have moved on: try 'lock --update'"
      ),
      (.longer(by: 5), "'thing a' from 'URL' has 1005 bytes instead of 1000"),
      (.stalled(after: 10), "cannot fetch 'thing a': 'URL': nothing came for 0.08 seconds"),
      (.reset(after: nil), "cannot fetch 'thing a': 'URL': Recv failure: Connection reset by peer"),
      (
        .redirect(to: "file:///etc/passwd"),
        "cannot fetch 'thing a': 'URL': it redirects to where it must not: "
          + #"Protocol "file" not supported or disabled in libcurl"#
      ),
      (
        .wrongByte,
        "'thing a' from 'URL' has other bytes than expected: sha256 'ACTUAL' instead of 'EXPECTED'"
      ),
    ] as [(LoopbackServer.Fault, String)])
  func lastingFault(fault: LoopbackServer.Fault, expected: String) async throws {
    server.fail("/a", fault)
    let failure = await #expect(throws: FetchFailure.self) {
      try await table.fetcher { $0.expect(fault) }.fetch([download])
    }
    var wrong = noise(1000)
    wrong[500] ^= 1
    #expect(
      failure?.description
        == expected.replacing("URL", with: server.url("/a"))
        .replacing("ACTUAL", with: ContentHash(of: wrong).hex)
        .replacing("EXPECTED", with: download.hash.hex))
    #expect(!table.store.contains(download.hash))
    server.heal("/a")
    try await table.fetcher().fetch([download])
    try table.store.check(download.hash)
  }

  @Test func aServerThatIsNotThereIsNamed() async throws {
    server.stop()
    let failure = await #expect(throws: FetchFailure.self) {
      try await table.fetcher().fetch([download])
    }
    guard case .unreachable("thing a", let attempts)? = failure else { throw Errno.badAddress }
    #expect(attempts.map(\.url) == [server.url("/a")])
    #expect(attempts.first?.reason.contains("Failed to connect") == true)
    #expect(table.asked == [nil, nil], "as many pauses as retries")
  }

  @Test func whatTheServerAsksForIsKnownToThePause() async throws {
    server.fail("/a", .tooManyRequests(retryAfter: "7"), times: 1)
    server.fail("/a", .status(500), times: 1)
    try await table.fetcher().fetch([download])
    #expect(table.asked == [.seconds(7), nil])
  }

  @Test func thePauseGrowsAndObeysTheServerWithinReason() {
    let pause = Fetcher.Settings.standardPause
    #expect((0.37...0.63).contains(pause(1, nil) / .seconds(1)))
    #expect((3.0...5.0).contains(pause(4, nil) / .seconds(1)))
    #expect((22.0...38.0).contains(pause(60, nil) / .seconds(1)))
    #expect(pause(1, .seconds(7)) == .seconds(7))
    #expect(pause(1, .seconds(9999)) == .seconds(120))
  }

  @Test func afterWrongBytesCachesOnTheWayAreAskedToLookAgain() async throws {
    server.fail("/a", .wrongByte, times: 1)
    try await table.fetcher().fetch([download])
    #expect(server.requests.map { $0.headers["cache-control"] } == [nil, "no-cache"])
  }

  @Test func theNextMirrorIsTakenAtOnce() async throws {
    let other = try LoopbackServer()
    other.serve("/b", noise(1000))
    var download = download
    download.urls += [server.url("/gone"), other.url("/b")]
    server.fail("/a", .status(503))
    try await table.fetcher().fetch([download])
    #expect(server.requests.map(\.path) == ["/a", "/gone"] && other.requests.count == 1)
    #expect(table.asked.isEmpty, "no pause while a mirror is left")
    try table.store.check(download.hash)
  }

  @Test func aMirrorThatDoesNotAnswerIsNotAskedFirstAgain() async throws {
    let dead = try LoopbackServer()
    dead.stop()
    var downloads = (0..<5).map { table.serve("/\($0)", noise(1000, seed: UInt64($0))) }
    for index in downloads.indices { downloads[index].urls.insert(dead.url("/\(index)"), at: 0) }
    try await table.fetcher { $0.jobs = 1 }.fetch(downloads)
    for download in downloads { try table.store.check(download.hash) }
  }

  @Test func allMirrorsThatFailAreTold() async throws {
    var download = download
    download.urls += [server.url("/gone").replacing("//", with: "//me:secret@") + "?token=secret"]
    server.fail("/a", .status(500))
    let failure = await #expect(throws: FetchFailure.self) {
      try await table.fetcher().fetch([download])
    }
    #expect(
      failure?.description == "cannot fetch 'thing a': '\(server.url("/a"))': "
        + "the server answers 500; '\(server.url("/gone"))?…': not found")
  }

  @Test func allThatIsMissingIsToldAtOnceAndTheRestIsFetched() async throws {
    let missing = (0..<10).map { index in
      Download(
        name: "m\(index)", hash: ContentHash(of: "\(index)"), size: 1,
        urls: [server.url("/m\(index)")])
    }
    let failure = await #expect(throws: FetchFailure.self) {
      try await table.fetcher { $0.jobs = 1 }.fetch(missing + [download])
    }
    guard case .notFound(let items)? = failure else { throw Errno.badAddress }
    #expect(items.map(\.name) == (0..<10).map { "m\($0)" })
    #expect(failure?.description.contains("'\(server.url("/m7"))' and 2 more; ") == true)
    try table.store.check(download.hash)
  }

  @Test func offlineNothingIsAskedAndAllThatLacksIsNamed() async throws {
    let fetcher = table.fetcher { $0.isOffline = true }
    try table.store.add(noise(5))
    let present = table.serve("/b", noise(5))
    try await fetcher.fetch([present])
    await #expect(throws: FetchFailure.offline(["thing a"])) {
      try await fetcher.fetch([present, download])
    }
    let failure = await #expect(throws: FetchFailure.self) {
      try await fetcher.bytes(named: "InRelease", from: [server.url("/a")], limit: 5000)
    }
    #expect(failure?.description == "not in the store and --offline was given: 'InRelease'")
    #expect(server.requests.isEmpty)
  }

  @Test func aFileLargerThanAllowedIsCutOff() async throws {
    await #expect(throws: FetchFailure.tooLarge("x", url: server.url("/a"), limit: 999)) {
      try await table.fetcher().bytes(named: "x", from: [server.url("/a")], limit: 999)
    }
  }

  @Test func somethingWithoutAnAddressIsNotFound() async throws {
    var download = download
    download.urls = []
    await #expect(throws: FetchFailure.notFound([.init(name: "thing a", urls: [])])) {
      try await table.fetcher().fetch([download])
    }
  }

  @Test(
    "cancelling ends it at once and leaves what can be resumed",
    arguments: [.stalled(after: 300), .stalled(after: nil)] as [LoopbackServer.Fault])
  func cancelling(fault: LoopbackServer.Fault) async throws {
    server.fail("/a", fault)
    let fetcher = table.fetcher()
    let task = Task { try await fetcher.fetch([download]) }
    try await server.waitForRequests(1)
    let start = ContinuousClock.now
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(ContinuousClock.now - start < .seconds(5))
    #expect(!table.store.contains(download.hash))
    server.heal("/a")
    try await fetcher.fetch([download])
    try table.store.check(download.hash)
  }

  @Test(.enabled(if: canMountSmallDisks, "needs root and unshare"))
  func aDiskThatIsTooSmallIsKnownBefore() async throws {
    let disk = try SmallDisk(size: 64 << 10)
    let store = try BlobStore(store: disk.path)
    let large = table.serve("/large", noise(100_000))
    let failure = await #expect(throws: FetchFailure.self) {
      try await table.fetcher(store).fetch([large])
    }
    #expect(
      failure?.description == "the store's disk is full: no room in '\(disk.path)' for the "
        + "100000 bytes to fetch; free some space or name another store with --store")
    #expect(server.requests.isEmpty)
  }

  @Test(.enabled(if: canMountSmallDisks, "needs root and unshare"))
  func aDiskThatFillsUpEndsItAndNothingHasAName() async throws {
    let disk = try SmallDisk(size: 128 << 10)
    let store = try BlobStore(store: disk.path)
    let large = table.serve("/large", noise(100_000))
    server.fail("/large", .stalled(after: 50_000))
    let fetcher = table.fetcher(store)
    let fetching = Task { try await fetcher.fetch([large]) }
    try await server.waitForRequests(1)
    let filler = disk.path.appending("filler").string
    _ = try runTool("dd", ["if=/dev/zero", "of=\(filler)", "bs=1k"])
    server.release()
    let failure = await #expect(throws: FetchFailure.self) { try await fetching.value }
    guard case .diskFull(disk.path, needed: 1...100_000)? = failure else { throw Errno.noSpace }
    #expect(!store.contains(large.hash))
    _ = try runTool("rm", [filler])
    try await fetcher.fetch([large])
    try store.check(large.hash)
  }
}

extension Fetcher.Settings {
  /// Does not wait long for what will not come.
  fileprivate mutating func expect(_ fault: LoopbackServer.Fault) {
    if case .stalled = fault { stallLimit = .milliseconds(80) }
  }
}
