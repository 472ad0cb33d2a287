import Content
import Fetching
import Model
import Support
import Synchronization
import SystemPackage

/// What a test of fetching works with: a server with faults, a store, and what was said.
final class FetchingTable: Sendable {
  let server: LoopbackServer
  let folder: TemporaryFolder
  let store: BlobStore
  private let said = Mutex<[BuildEvent]>([])
  private let pauses = Mutex<[Duration?]>([])

  init() throws {
    folder = try TemporaryFolder()
    server = try LoopbackServer()
    store = try BlobStore(store: folder / "store")
  }

  /// All events so far.
  var events: [BuildEvent] { said.withLock { $0 } }
  /// What the server asked for before each retry.
  var asked: [Duration?] { pauses.withLock { $0 } }

  /// A fetcher that does not wait between attempts.
  func fetcher(
    _ store: BlobStore? = nil, _ change: (inout Fetcher.Settings) -> Void = { _ in }
  ) -> Fetcher {
    var settings = Fetcher.Settings()
    settings.proxies.hosts["127.0.0.1"] = "DIRECT"
    // Longer than any load of the machine: who waits for a stall says how long.
    settings.stallLimit = .seconds(30)
    settings.retries = 2
    settings.pause = { [self] _, asked in
      pauses.withLock { $0.append(asked) }
      return .zero
    }
    change(&settings)
    return Fetcher(store: store ?? self.store, settings: settings) { [self] event in
      said.withLock { $0.append(event) }
    }
  }

  /// Serves bytes and says how to fetch them.
  func serve(_ path: String, _ bytes: [UInt8]) -> Download {
    server.serve(path, bytes)
    return Download(
      name: "thing \(path.dropFirst())", hash: ContentHash(of: bytes), size: bytes.count,
      urls: [server.url(path)])
  }

  /// The bytes of a blob, checked.
  func content(of download: Download) throws -> [UInt8] {
    try store.check(download.hash)
    let file = try store.open(download.hash)
    return try file.closeAfter {
      try [UInt8](unsafeUninitializedCapacity: download.size + 1) { buffer, count in
        count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
      }
    }
  }

  /// Names of what is unfinished in the store.
  func parts(in store: BlobStore? = nil) throws -> [String] {
    let path = (store ?? self.store).store.appending("blobs/tmp")
    return try runTool("ls", [path.string]).output.split(separator: "\n").map(String.init)
  }
}

/// Bytes that differ everywhere.
func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
  var random = SplitMix64(seed: seed)
  return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
}
