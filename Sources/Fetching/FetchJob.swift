internal import Content
internal import Model

/// One thing to fetch: where it stands among its addresses and attempts, and what has come of it.
final class FetchJob: WebReceiver {
  enum Goal {
    case blob(Download)
    /// A file of unknown hash with at most so many bytes.
    case memory(limit: Int)
  }

  enum Stage {
    /// May begin from then on.
    case waiting(until: ContinuousClock.Instant)
    case moving
    /// All bytes are there; they are brought to the disk.
    case settling
    case done
  }

  /// What came of an address last.
  enum Fault {
    case missing
    case other(String)
    case wrongContent(ContentHash)
    case wrongSize(Int?)
  }

  let name: String
  let addresses: [Address]
  let goal: Goal
  var stage = Stage.waiting(until: .now)
  /// The address in use.
  private(set) var current = 0
  /// What has come, for `.memory`.
  private(set) var memory: [UInt8] = []
  /// What has come, for `.blob`; held only while this job works on it.
  var part: IncomingBlob?
  /// When another has begun to bring the same blob, how far it was, and since when.
  var rival: (length: Int, since: ContinuousClock.Instant)?
  /// Caches on the way gave wrong bytes.
  private(set) var isFresh = false
  /// Where the answer that comes was asked to begin.
  private(set) var start = 0
  private var isFirstPiece = true
  private var faults: [Int: Fault] = [:]
  /// Addresses that are no use, and those tried since the last pause.
  private var hopeless: Set<Int> = []
  private var tried: Set<Int> = []
  private var retries = 0
  private var asked: Duration?

  init(_ download: Download) {
    name = download.name
    addresses = download.urls.map { Address($0) }
    goal = .blob(download)
  }

  init(name: String, urls: [String], limit: Int) {
    self.name = name
    addresses = urls.map { Address($0) }
    goal = .memory(limit: limit)
  }

  var isDone: Bool { if case .done = stage { true } else { false } }

  /// Bytes that have come so far.
  var length: Int {
    switch goal {
    case .blob(let download): isDone ? download.size : part?.length ?? 0
    case .memory: memory.count
    }
  }

  /// The most bytes to take.
  private var limit: Int {
    switch goal {
    case .blob(let download): download.size
    case .memory(let limit): limit
    }
  }

  /// The request for the address in use, from where the last one broke.
  func request() throws -> WebRequest {
    let address = addresses[current]
    if case .memory = goal { memory = [] }
    if address.scheme == "file" || length >= limit { try part?.startOver() }
    start = part?.length ?? 0
    isFirstPiece = true
    return WebRequest(address: address, start: start, isFresh: isFresh)
  }

  func receive(_ bytes: UnsafeRawBufferPointer, of head: WebHead) throws {
    if isFirstPiece {
      isFirstPiece = false
      if head.status == 206 {
        guard head.firstByte == start else { throw Misfit.wrongRange }
      } else if start > 0 {
        try part?.startOver()
        start = 0
      }
      if let length = head.length, start + length > limit { throw Misfit.tooLong(start + length) }
    }
    guard length + bytes.count <= limit else { throw Misfit.tooLong(nil) }
    if let part {
      try part.append(bytes)
    } else {
      memory += bytes
    }
  }

  /// Notes how the attempt failed and turns to the next address or to a pause.
  ///
  /// - Parameters:
  ///   - isHopeless: the address is of no use any more.
  ///   - avoided: sites that answered nothing lately: they come after others.
  /// - Returns: false when nothing is left to try.
  func goOn(
    after fault: Fault, isHopeless: Bool = false, retryAfter: Duration? = nil,
    avoiding avoided: Set<String> = [], _ settings: Fetcher.Settings
  ) -> Bool {
    faults[current] = fault
    tried.insert(current)
    if isHopeless { hopeless.insert(current) }
    if case .wrongContent = fault { isFresh = true }
    if let retryAfter { asked = max(asked ?? .zero, retryAfter) }
    stage = .waiting(until: .now)
    if pickAddress(avoiding: avoided) { return true }
    guard hopeless.count < addresses.count, retries < settings.retries else { return false }
    retries += 1
    stage = .waiting(until: .now + settings.pause(retries, asked))
    (tried, asked) = ([], nil)
    return pickAddress(avoiding: avoided)
  }

  /// Takes the first address that is left in this round; false when there is none.
  func pickAddress(avoiding avoided: Set<String>) -> Bool {
    let left = addresses.indices.filter { !tried.contains($0) && !hopeless.contains($0) }
    guard let next = left.first(where: { !avoided.contains(addresses[$0].site) }) ?? left.first
    else { return false }
    current = next
    return true
  }

  /// Why the job cannot be done, from what came of its addresses.
  var failure: FetchFailure {
    let known = addresses.indices.compactMap { index in
      faults[index].map { (addresses[index].shown, $0) }
    }
    for case (let url, .wrongContent(let actual)) in known {
      guard case .blob(let download) = goal else { continue }
      return .wrongContent(name, url: url, expected: download.hash, actual: actual)
    }
    for case (let url, .wrongSize(let actual)) in known {
      return switch goal {
      case .blob(let download):
        .wrongSize(name, url: url, expected: download.size, actual: actual)
      case .memory(let limit): .tooLarge(name, url: url, limit: limit)
      }
    }
    let attempts = known.map { url, fault in
      FetchFailure.Attempt(url: url, reason: fault.reason)
    }
    if known.allSatisfy({ if case .missing = $0.1 { true } else { false } }) {
      return .notFound([.init(name: name, urls: addresses.map(\.shown))])
    }
    return .unreachable(name, attempts)
  }

  /// Why a receiver ends a transfer.
  enum Misfit: Error {
    /// More bytes than allowed; how many, if the head told.
    case tooLong(Int?)
    /// The part of the file that came is not the one that was asked for.
    case wrongRange
  }
}

extension FetchJob.Fault {
  fileprivate var reason: String {
    switch self {
    case .missing: "not found"
    case .other(let reason): reason
    case .wrongContent: "wrong content"
    case .wrongSize: "wrong size"
    }
  }
}
