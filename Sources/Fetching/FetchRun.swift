internal import Content
internal import Dispatch
internal import Model
internal import Synchronization

/// One call's jobs, from first to last, on one thread; blobs are brought to the disk on others.
final class FetchRun {
  private let jobs: [FetchJob]
  private let store: BlobStore
  private let settings: Fetcher.Settings
  private let events: EventSink
  private let canceller: Canceller
  private let loop: WebLoop
  private let settler: Settler
  private var missing: [FetchFailure.Missing] = []
  private var given = 0
  /// Sites that could not be connected to lately.
  private var silent: Set<String> = []
  private var lastReport = ContinuousClock.now
  private var reported = 0

  init(
    _ jobs: [FetchJob], store: BlobStore, _ settings: Fetcher.Settings,
    events: @escaping EventSink, _ canceller: Canceller
  ) throws {
    self.jobs = jobs
    self.store = store
    self.settings = settings
    self.events = events
    self.canceller = canceller
    loop = try WebLoop(settings)
    settler = Settler(loop.waker)
    canceller.adopt(loop.waker)
  }

  /// Works until all jobs are done or one of them cannot be; what none of its addresses has is told at
  /// the end, all together.
  func run() throws {
    // Nothing is on its way to the disk any more when we return, however that is.
    defer { settler.wait() }
    for job in jobs where job.addresses.isEmpty { try giveUp(job) }
    var next = ContinuousClock.now
    var hasNews = true
    while true {
      try canceller.check()
      for (index, result) in settler.takeSettled() {
        try settled(jobs[index], result)
        hasNews = true
      }
      if hasNews || next <= .now {
        next = try startJobs()
        hasNews = false
        guard jobs.contains(where: { !$0.isDone }) else { break }
      }
      report()
      for case (let job as FetchJob, let end) in try loop.turn(waiting: next - .now) {
        try handle(end, of: job)
        hasNews = true
      }
    }
    report(isLast: true)
    guard missing.isEmpty else { throw FetchFailure.notFound(missing) }
  }

  /// Starts what may start.
  ///
  /// - Returns: when to look again, if nothing happens before.
  private func startJobs() throws -> ContinuousClock.Instant {
    let now = ContinuousClock.now
    var next = now + .seconds(60)
    var active = 0
    var perSite: [String: Int] = [:]
    for case let job in jobs {
      guard case .moving = job.stage else { continue }
      active += 1
      perSite[job.addresses[job.current].site, default: 0] += 1
    }
    for job in jobs {
      guard active < settings.jobs else { break }
      guard case .waiting(let due) = job.stage else { continue }
      guard due <= now else {
        next = min(next, due)
        continue
      }
      let site = job.addresses[job.current].site
      guard perSite[site, default: 0] < settings.jobsPerHost else { continue }
      if try start(job, now) {
        active += 1
        perSite[site, default: 0] += 1
      } else if case .waiting(let due) = job.stage {
        next = min(next, due)
      }
    }
    return next
  }

  /// Starts a job's transfer; false when it waits for another who brings the same, or needs none.
  private func start(_ job: FetchJob, _ now: ContinuousClock.Instant) throws -> Bool {
    if case .blob(let download) = job.goal, job.part == nil {
      switch try store.receive(download.hash) {
      case .present:
        job.stage = .done
        return false
      case .open(let part): job.part = part
      case .busy(let length):
        if job.rival?.length != length { job.rival = (length, now) }
        if let since = job.rival?.since, now - since < settings.stallLimit {
          job.stage = .waiting(until: now + .milliseconds(50))
          return false
        }
        // The other one stands still: we bring our own.
        job.part = try store.receive()
      }
      if job.part?.length == download.size {
        settle(job)
        return false
      }
    }
    try loop.start(try job.request(), for: job)
    job.stage = .moving
    return true
  }

  private func handle(_ end: WebEnd, of job: FetchJob) throws {
    let site = job.addresses[job.current].site
    if case .unreachable = end { silent.insert(site) } else { silent.remove(site) }
    switch end {
    case .answered(let head, let retryAfter):
      guard !head.isGood else { return settle(job) }
      if head.status == 416 { try job.part?.startOver() }
      let isMissing = head.status == 404 || head.status == 410
      let isPassing = head.status >= 500 || [408, 416, 425, 429].contains(head.status)
      try goOn(
        job, after: isMissing ? .missing : .other("the server answers \(head.status)"),
        isHopeless: !isPassing, retryAfter: retryAfter)
    case .unreachable(let reason), .broken(let reason): try goOn(job, after: .other(reason))
    case .hopeless(let reason, let isMissing):
      try goOn(job, after: isMissing ? .missing : .other(reason), isHopeless: true)
    case .refused(FetchJob.Misfit.tooLong(let actual)):
      try job.part?.startOver()
      try goOn(job, after: .wrongSize(actual))
    case .refused(FetchJob.Misfit.wrongRange):
      try job.part?.startOver()
      try goOn(job, after: .other("the server sends another part than was asked for"))
    case .refused(let error): throw named(error)
    }
  }

  /// All bytes of a job are there: memory is done, a blob goes to the disk on another thread.
  private func settle(_ job: FetchJob) {
    guard case .blob(let download) = job.goal, let part = job.part,
      let index = jobs.firstIndex(where: { $0 === job })
    else { return job.stage = .done }
    job.stage = .settling
    settler.settle(part, as: download, of: index)
  }

  private func settled(_ job: FetchJob, _ result: Result<Void, BlobFailure>) throws {
    do {
      try result.get()
      job.part = nil
      job.stage = .done
    } catch BlobFailure.corrupt(_, let actual) {
      try goOn(job, after: .wrongContent(actual))
    } catch BlobFailure.wrongSize(_, _, let actual) {
      try goOn(job, after: .wrongSize(actual))
    } catch { throw named(error) }
  }

  private func goOn(
    _ job: FetchJob, after fault: FetchJob.Fault, isHopeless: Bool = false,
    retryAfter: Duration? = nil
  ) throws {
    let canGoOn = job.goOn(
      after: fault, isHopeless: isHopeless, retryAfter: retryAfter, avoiding: silent, settings)
    if !canGoOn { try giveUp(job) }
  }

  /// What is missing is collected, since all of it is worth knowing at once; all else ends the run.
  private func giveUp(_ job: FetchJob) throws {
    guard case .notFound(let items) = job.failure else { throw job.failure }
    missing += items
    job.part = nil
    job.stage = .done
  }

  /// A full disk, with what is still to come.
  private func named(_ error: any Error) -> any Error {
    guard case BlobFailure.diskFull(let store)? = error as? BlobFailure else { return error }
    let needed = jobs.reduce(0) { sum, job in
      guard case .blob(let download) = job.goal else { return sum }
      return sum + download.size - job.length
    }
    return FetchFailure.diskFull(store: store, needed: needed)
  }

  /// Tells how far we are, ten times a second at most; never less than was told before.
  private func report(isLast: Bool = false) {
    let now = ContinuousClock.now
    guard isLast || now - lastReport >= .milliseconds(100) else { return }
    let done = jobs.reduce(0) { $0 + $1.length }
    guard done > reported else { return }
    (lastReport, reported) = (now, done)
    let subject = jobs.first { if case .moving = $0.stage { true } else { false } }
    events(.advanced(.fetch, done: done, subject: subject?.name ?? ""))
  }
}

/// Brings finished blobs to the disk, several at once: each waits for the disk, and the disk takes
/// many together faster than one by one.
private final class Settler: Sendable {
  private let queue = DispatchQueue(label: "settling", attributes: .concurrent)
  private let group = DispatchGroup()
  private let settled = Mutex<[(Int, Result<Void, BlobFailure>)]>([])
  private let waker: WebWaker

  init(_ waker: WebWaker) { self.waker = waker }

  func settle(_ part: IncomingBlob, as download: Download, of index: Int) {
    queue.async(group: group) { [self] in
      let result = Result { () throws(BlobFailure) in
        _ = try part.commit(expecting: download.hash, size: download.size)
      }
      settled.withLock { $0.append((index, result)) }
      waker.wake()
    }
  }

  func takeSettled() -> [(Int, Result<Void, BlobFailure>)] {
    settled.withLock { exchange(&$0, with: []) }
  }

  func wait() { group.wait() }
}
