internal import Dispatch

#if canImport(Glibc)
  internal import Glibc
#endif

/// Runs work on a thread of its own that lets others go first where processors are few.
///
/// - Parameter group: holds the work until it has ended.
func onQuietThread(in group: DispatchGroup, _ work: @escaping @Sendable () -> Void) {
  final class Box: Sendable {
    let work: @Sendable () -> Void
    init(_ work: @escaping @Sendable () -> Void) { self.work = work }
  }
  group.enter()
  let box = Unmanaged.passRetained(
    Box {
      work()
      group.leave()
    })
  var thread = pthread_t()
  let code = pthread_create(
    &thread, nil,
    { box in
      // Of this thread alone. What cannot be lowered runs like all others.
      _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 5)
      if let box { Unmanaged<Box>.fromOpaque(box).takeRetainedValue().work() }
      return nil
    }, box.toOpaque())
  guard code == 0 else {
    let work = box.takeRetainedValue().work
    return DispatchQueue.global().async { work() }
  }
  pthread_detach(thread)
}
