internal import CTerminal
internal import Glibc

/// A running program, with its terminal or pipes; one thread owns it and asks for what happens `next`.
///
/// Nothing is read before it is asked for, so a program that prints without end waits, as it would for
/// a slow terminal, and costs no memory. A child never outlives its owner: dropping the last reference
/// kills the child with all that it started.
public final class Child {
  /// What happened.
  public enum Event: Sendable, Hashable {
    /// Bytes of standard output, or of the terminal.
    case output([UInt8])
    /// Bytes of standard error; never from a terminal.
    case errors([UInt8])
    /// One of the descriptors in `watching` has something to read.
    case readable(Int32)
    /// Someone called `waker.wake()`.
    case woken
    /// The moment that `next` was to wait for has come.
    case deadline
    /// The child ended, all that it printed has been handed out, and what it left behind is killed.
    case ended(Ending)
  }

  /// The process, which is also its session and its process group.
  public let id: Int32
  /// For other threads, to interrupt `next`.
  public let waker: Waker
  /// Other descriptors that `next` shall wait on.
  public var watching: [Int32] = []

  private let family: Family
  private let process: Descriptor
  private let isTerminal: Bool
  private var streams: ChildStreams
  /// How the leader ended, once it has; its record is kept until `isOver`.
  private var ending: Ending?
  /// How long to wait, after the end, for the last output of processes that escaped the kill.
  private var drainEnd: ContinuousClock.Instant?
  private var isOver = false

  /// Starts a command.
  ///
  /// The first start makes this process ignore SIGPIPE, so that a child that closes its input does not
  /// end us.
  public static func start(_ command: Command, waker: Waker? = nil) throws(TerminalFailure) -> Child
  {
    _ = ignoreBrokenPipes
    let chosen: Waker
    if let waker { chosen = waker } else { chosen = try Waker() }
    let spawned = try spawn(command)
    let number = cterminal_watch_child(spawned.id)
    guard number >= 0 else {
      let code = errno
      kill(spawned.id, SIGKILL)
      _ = retrying { waitpid(spawned.id, nil, 0) }
      throw .failed(operation: "watch '\(command.program)'", code: code)
    }
    return Child(
      spawned, of: command, process: Descriptor(adopting: number), waker: chosen)
  }

  private init(
    _ spawned: Spawned, of command: Command, process: Descriptor, waker: Waker
  ) {
    id = spawned.id
    family = Family(leader: spawned.id, mark: spawned.mark, group: command.controlGroup)
    self.waker = waker
    self.process = process
    isTerminal = command.streams != .pipes
    streams = ChildStreams(
      input: spawned.input, output: spawned.output, errors: spawned.errors)
  }

  deinit {
    if !isOver { bury() }
  }

  /// Waits for the next thing to happen; once it is `.ended`, always `.ended`.
  ///
  /// - Parameters:
  ///   - deadline: when to stop waiting; nil waits for ever.
  ///   - reading: false leaves output where it is, so that the child has to wait with more; its end is
  ///     not reported either before its output has been read.
  public func next(
    before deadline: ContinuousClock.Instant? = nil, reading: Bool = true
  ) -> Event {
    while true {
      if let ending, isOver { return .ended(ending) }
      let ready = wait(until: deadline, reading: reading)
      if ready.contains(waker.descriptor), waker.takeWakes() { return .woken }
      if let number = watching.first(where: ready.contains) { return .readable(number) }
      streams.flush()
      if reading, let event = streams.read(ready) { return event }
      if ending == nil, ready.contains(process.number) {
        ending = readEnding(reaping: false)
        family.killAll()
        drainEnd = .now + .milliseconds(250)
      }
      if let ending, reading, streams.hasEnded || .now >= drainEnd ?? .now {
        bury()
        return .ended(ending)
      }
      if let deadline, .now >= deadline { return .deadline }
    }
  }

  /// Queues bytes for the child's standard input or terminal; they are sent while `next` waits.
  public func send(_ bytes: some Sequence<UInt8>) { streams.unsent += bytes }

  /// Ends the child's input when all that was sent has arrived; a terminal gets an end-of-file character.
  public func endInput() {
    if isTerminal { streams.unsent.append(4) } else { streams.endsInput = true }
    streams.flush()
  }

  /// Tells the terminal its new size.
  public func resize(to size: WindowSize) {
    if isTerminal { streams.resize(to: size) }
  }

  /// Sends a signal to the child and to all that came of it.
  public func signal(_ number: Int32) {
    if ending == nil { family.signal(number) }
  }

  /// Ends the child: asks with SIGTERM, and after `grace` kills it with all that came of it.
  ///
  /// What it prints meanwhile is thrown away.
  @discardableResult
  public func stop(grace: Duration = .seconds(2)) -> Ending {
    watching = []
    signal(SIGTERM)
    signal(SIGCONT)
    var deadline: ContinuousClock.Instant? = .now + grace
    while true {
      switch next(before: deadline) {
      case .ended(let ending): return ending
      case .output, .errors, .readable, .woken: break
      case .deadline: ()
      }
      if let moment = deadline, .now >= moment {
        deadline = nil
        family.killAll()
      }
    }
  }

  /// The living processes that came of the child, itself included.
  public var members: [Int32] { family.members() }

  private func wait(until deadline: ContinuousClock.Instant?, reading: Bool) -> Set<Int32> {
    var entries = [pollfd(fd: waker.descriptor, events: Int16(POLLIN), revents: 0)]
    entries += watching.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    if ending == nil {
      entries.append(pollfd(fd: process.number, events: Int16(POLLIN), revents: 0))
    }
    entries += streams.interests(reading: reading)
    let moment = [deadline, reading ? drainEnd : nil].compactMap(\.self).min()
    let timeout = moment.map {
      Int32(clamping: max(0, ContinuousClock.now.duration(to: $0).inMilliseconds))
    }
    // An interrupted wait finds nothing, and the caller looks again.
    guard poll(&entries, nfds_t(entries.count), timeout ?? -1) > 0 else { return [] }
    return Set(entries.lazy.filter { $0.revents != 0 }.map(\.fd))
  }

  /// Kills what is left and gives the leader's record back to the kernel.
  ///
  /// In this order: as long as the record stays, no stranger can get the number that we kill by.
  private func bury() {
    family.killAll()
    ending = ending ?? .signalled(SIGKILL)
    _ = readEnding(reaping: true)
    streams.close()
    isOver = true
  }

  private func readEnding(reaping: Bool) -> Ending {
    var facts = siginfo_t()
    let options = WEXITED | (reaping ? 0 : WNOWAIT)
    guard retrying({ waitid(P_PID, id_t(id), &facts, options) }) == 0 else { return .exited(255) }
    let status = facts._sifields._sigchld.si_status
    return facts.si_code == CLD_EXITED ? .exited(status) : .signalled(status)
  }
}

/// Done once: a write to a pipe that nobody reads becomes an error instead of a signal.
private let ignoreBrokenPipes: Void = { _ = Glibc.signal(SIGPIPE, SIG_IGN) }()

extension Duration {
  /// Whole milliseconds, rounded up.
  var inMilliseconds: Int64 {
    components.seconds * 1000 + (components.attoseconds + 999_999_999_999_999)
      / 1_000_000_000_000_000
  }
}
