internal import Dispatch
internal import Synchronization

/// Maps elements on several threads, which take them in their order; the results come in it, too.
///
/// After a failure no more are begun.
///
/// - Throws: what `body` threw for the first element that failed, whatever the threads did.
public func concurrentMap<Element: Sendable, Result: Sendable>(
  _ elements: [Element], jobs: Int, _ body: @Sendable (Element) throws -> Result
) throws -> [Result] {
  let results = Mutex<[Int: Result]>([:])
  let failures = Mutex<[Int: any Error]>([:])
  let next = Atomic(0)
  DispatchQueue.concurrentPerform(iterations: max(1, min(jobs, elements.count))) { _ in
    while failures.withLock({ $0.isEmpty }) {
      let index = next.add(1, ordering: .relaxed).oldValue
      guard index < elements.count else { return }
      do {
        let result = try body(elements[index])
        results.withLock { $0[index] = result }
      } catch { failures.withLock { $0[index] = error } }
    }
  }
  if let first = failures.withLock({ $0.min { $0.key < $1.key }?.value }) { throw first }
  return results.withLock { results in
    elements.indices.map { index in
      guard let result = results[index] else { preconditionFailure("each element is mapped") }
      return result
    }
  }
}
