internal import Dispatch
public import Content
public import Model
internal import Synchronization
internal import SystemPackage

/// The debs of a build in their quick form, each made once: when a transaction asks for it, or before, on
/// processors that would be idle while dpkg configures an earlier one.
///
///     let supply = DebSupply(store, jobs: 2)
///     defer { supply.close() }
public final class DebSupply: Sendable {
  let store: BlobStore
  private let quick: QuickDebs
  private let jobs: Int
  private let queue = DispatchQueue(label: "debs ahead", attributes: .concurrent)
  private let workers = DispatchGroup()
  private let isClosed = Atomic(false)
  private let state = Mutex(State())

  private struct State {
    var forms: [ContentHash: Form] = [:]
    /// What nobody has asked for yet, the last one first.
    var expected: [Lock.Package] = []
    var isHeld = true
    var working = 0
  }

  /// A form that is there or that one thread is making.
  private final class Form: Sendable {
    let isMade = DispatchGroup()
    let result = Mutex<Result<FilePath, any Error>?>(nil)

    init() { isMade.enter() }
  }

  /// - Parameter jobs: how many threads make forms at a time; ahead of time it is one less.
  public init(_ store: BlobStore, jobs: Int) {
    self.store = store
    self.jobs = jobs
    quick = QuickDebs(store)
  }

  /// Tells what later transactions will ask for, in their order.
  public func expect(_ transactions: [[Lock.Package]]) {
    let packages = transactions.flatMap { $0.sorted { $0.deb.size > $1.deb.size } }
    state.withLock { $0.expected = packages.reversed() }
  }

  /// Waits until no thread works any more; nothing may be asked for then.
  public func close() {
    isClosed.store(true, ordering: .relaxed)
    hold()
    workers.wait()
  }

  /// Begins no more forms ahead of time, since all processors have other work.
  func hold() { state.withLock { $0.isHeld = true } }

  /// Makes what is expected, until `hold`.
  func workAhead() {
    let count = state.withLock { state in
      state.isHeld = false
      let count = max(0, min(jobs - 1, state.expected.count) - state.working)
      state.working += count
      return count
    }
    for _ in 0..<count { queue.async(group: workers) { self.work() } }
  }

  /// Where the quick form of a deb is, checked; made where it is missing. See `QuickDebs`.
  func path(of package: Lock.Package) throws -> FilePath {
    try path(of: package, threads: jobs)
  }

  private func work() {
    while let package = nextExpected() {
      // Who asks for it gets the error.
      _ = try? path(of: package, threads: 1)
    }
  }

  private func nextExpected() -> Lock.Package? {
    state.withLock { state in
      if !state.isHeld {
        while let package = state.expected.popLast() {
          if state.forms[package.deb.sha256] == nil { return package }
        }
      }
      state.working -= 1
      return nil
    }
  }

  private func path(of package: Lock.Package, threads: Int) throws -> FilePath {
    let hash = package.deb.sha256
    let (form, isOurs) = state.withLock { state in
      if let form = state.forms[hash] { return (form, false) }
      let form = Form()
      state.forms[hash] = form
      return (form, true)
    }
    if isOurs {
      let result = Result {
        try quick.path(of: package, threads: threads) { !isClosed.load(ordering: .relaxed) }
      }
      form.result.withLock { $0 = result }
      form.isMade.leave()
      return try result.get()
    }
    while form.isMade.wait(timeout: .now() + .milliseconds(50)) == .timedOut {
      try Task.checkCancellation()
    }
    guard let result = form.result.withLock({ $0 }) else { throw CancellationError() }
    return try result.get()
  }
}
