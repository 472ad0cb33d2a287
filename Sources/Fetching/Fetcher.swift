public import Content
internal import Dispatch
public import Model
internal import Synchronization
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Brings blobs into a store over http, https and from files: many at once, each checked against its
/// hash while it comes, and resumed where an earlier attempt broke.
public struct Fetcher: Transport {
  /// How to fetch; the defaults suit most.
  public struct Settings: Sendable {
    /// The most transfers at one time, in all and from one host.
    public var jobs = 8
    public var jobsPerHost = 4
    /// Nothing is fetched: what the store lacks is an error.
    public var isOffline = false
    public var proxies = Proxies()
    /// A file of certificates to trust instead of the system's.
    public var certificates: String?
    public var userAgent = "build-snapshot"
    /// For a connection to come about.
    public var connectLimit = Duration.seconds(15)
    /// An answer of which nothing more comes for so long counts as broken.
    public var stallLimit = Duration.seconds(30)
    /// How many times all addresses of a thing are tried again.
    public var retries = 4
    /// The wait before so manieth retry (from 1), given what the server asked for with `Retry-After`.
    public var pause: @Sendable (Int, Duration?) -> Duration = { standardPause($0, $1) }

    public init() {}

    /// The defaults, and what curl's users expect of the environment: `CURL_CA_BUNDLE` or
    /// `SSL_CERT_FILE`; libcurl reads the proxies by itself.
    public init(environment: [String: String]) {
      certificates = environment["CURL_CA_BUNDLE"] ?? environment["SSL_CERT_FILE"]
      if certificates?.isEmpty == true { certificates = nil }
    }

    /// Half a second, doubled with each retry up to half a minute and spread by a quarter, so that
    /// many machines do not come back at once; what the server asks for counts, up to two minutes.
    public static func standardPause(_ retry: Int, _ asked: Duration?) -> Duration {
      let step = min(30, 0.5 * Double(1 << min(retry - 1, 10))) * Double.random(in: 0.75...1.25)
      return max(.seconds(step), min(asked ?? .zero, .seconds(120)))
    }
  }

  private let store: BlobStore
  private let settings: Settings
  private let events: EventSink

  public init(store: BlobStore, settings: Settings = Settings(), events: @escaping EventSink) {
    self.store = store
    self.settings = settings
    self.events = events
  }

  /// The bytes of a small file of unknown hash; see `Transport`.
  ///
  /// - Throws: `FetchFailure`, `CancellationError`.
  public func bytes(named name: String, from urls: [String], limit: Int) async throws -> [UInt8] {
    guard !settings.isOffline else { throw FetchFailure.offline([name]) }
    return try await onThread { waker in
      let job = FetchJob(name: name, urls: urls, limit: limit)
      try FetchRun([job], store: store, settings, events: { _ in }, waker).run()
      return job.memory
    }
  }

  public func fetch(_ downloads: [Download]) async throws {
    try await fetch(downloads, unread: [])
  }

  /// Brings blobs into the store; see `Transport`. Those that are there are read again, and replaced if they
  /// are damaged; the others come largest first. What came of a blob whose transfer is broken off is kept for
  /// the next time.
  ///
  /// - Parameter unread: blobs that nobody is going to use: that they are there is enough.
  /// - Throws: `FetchFailure`, `BlobFailure`, `CancellationError`; blobs that are complete by then stay.
  public func fetch(_ downloads: [Download], unread: Set<ContentHash>) async throws {
    let missing = try await missing(of: downloads, unread: unread)
    guard !missing.isEmpty else { return }
    guard !settings.isOffline else { throw FetchFailure.offline(missing.map(\.name)) }
    let total = missing.reduce(0) { $0 + $1.size }
    let needed = missing.reduce(0) { $0 + max(0, $1.size - store.partialSize(of: $1.hash)) }
    guard freeBytes.map({ $0 >= needed }) ?? true else {
      throw FetchFailure.diskFull(store: store.store, needed: needed)
    }
    events(.began(.fetch, total: total, unit: .bytes))
    try await onThread { canceller in
      let jobs = missing.map { FetchJob($0) }
      try FetchRun(jobs, store: store, settings, events: events, canceller).run()
    }
    events(.ended(.fetch))
  }

  /// What the store does not have, or no longer has undamaged: largest first, each blob once.
  private func missing(
    of downloads: [Download], unread: Set<ContentHash>
  ) async throws -> [Download] {
    var seen = Set<ContentHash>()
    let unique = downloads.filter { seen.insert($0.hash).inserted }
    var isPresent = Array(repeating: false, count: unique.count)
    try await withThrowingTaskGroup(of: (Int, Bool).self) { group in
      for (index, download) in unique.enumerated() {
        if index >= 4, let (done, present) = try await group.next() { isPresent[done] = present }
        group.addTask { (index, try has(download, reads: !unread.contains(download.hash))) }
      }
      for try await (done, present) in group { isPresent[done] = present }
    }
    return zip(unique, isPresent).filter { !$0.1 }.map(\.0)
      .sorted { ($1.size, $0.name, $0.hash) < ($0.size, $1.name, $1.hash) }
  }

  private func has(_ download: Download, reads: Bool) throws -> Bool {
    try Task.checkCancellation()
    guard let size = store.size(of: download.hash) else { return false }
    do {
      if reads {
        try store.check(download.hash)
      } else if size != download.size {
        try store.remove(download.hash)
        throw BlobFailure.wrongSize(download.hash, expected: download.size, actual: size)
      }
      store.touch(download.hash)
      return true
    } catch BlobFailure.missing {
      return false
    } catch let failure as BlobFailure where failure.isDamage {
      events(.note("'\(download.name)' in the store is damaged and was removed: \(failure)"))
      return false
    }
  }

  /// What the file system of the store has free for us, nil when it does not say.
  private var freeBytes: Int? {
    var status = statvfs()
    guard statvfs(store.store.string, &status) == 0, status.f_blocks > 0 else { return nil }
    return Int(status.f_bavail) * Int(status.f_frsize)
  }

  /// Runs blocking work on a thread of its own; cancelling the task wakes it and tells it.
  private func onThread<Value: Sendable>(
    _ work: @escaping @Sendable (Canceller) throws -> Value
  ) async throws -> Value {
    try Task.checkCancellation()
    let canceller = Canceller()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        DispatchQueue(label: "fetching").async {
          continuation.resume(with: Result { try work(canceller) })
        }
      }
    } onCancel: {
      canceller.cancel()
    }
  }
}

/// Tells a run on another thread that its result is no longer wanted.
final class Canceller: Sendable {
  private let state = Mutex<(isCancelled: Bool, waker: WebWaker?)>((false, nil))

  func cancel() {
    state.withLock { state in
      state.isCancelled = true
      state.waker?.wake()
    }
  }

  /// Names the loop to wake.
  func adopt(_ waker: WebWaker) { state.withLock { $0.waker = waker } }

  func check() throws {
    if state.withLock({ $0.isCancelled }) { throw CancellationError() }
  }
}

extension BlobFailure {
  fileprivate var isDamage: Bool {
    switch self {
    case .corrupt, .wrongSize: true
    default: false
    }
  }
}
