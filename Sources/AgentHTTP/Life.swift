internal import Glibc

/// A service's life: signals block from the start, the manager hears of readiness, and the main thread
/// waits for the end.
public enum Life {
  /// To be called before any thread starts: from then on SIGTERM and SIGINT wait for `untilStopped`.
  public static func begin() {
    var signals = stoppingSignals()
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    signal(SIGCHLD, SIG_DFL)
    signal(SIGPIPE, SIG_IGN)
  }

  /// Runs a program from its command line to its end: `--help` prints `usage`, and what `body` throws is
  /// told after the program's name.
  ///
  /// - Parameter isFaultyUse: whether an error is the caller's; `FaultyOptions` always is.
  /// - Returns: the exit status: 0, 1, or 64 for what the caller has to mend.
  public static func run(
    _ name: String, _ arguments: [String], usage: String,
    isFaultyUse: (any Error) -> Bool = { _ in false }, _ body: () throws -> Void
  ) -> Int32 {
    if arguments == ["--help"] {
      print(usage)
      return 0
    }
    do {
      begin()
      try body()
      return 0
    } catch {
      let line = "\(name): \(error)\n"
      _ = write(2, line, line.utf8.count)
      return error is FaultyOptions || isFaultyUse(error) ? 64 : 1
    }
  }

  /// Serves until someone asks us to stop; `stop` ends what requests have begun.
  public static func serve(_ server: Server, log: AgentLog, stop: () -> Void = {}) throws {
    log.write("listening", ["port": .integer(server.port)])
    isReady()
    untilStopped()
    stop()
    try server.stop()
    log.write("stopped")
  }

  /// Tells the service manager that we answer now, as `sd_notify` does; nothing happens without one.
  public static func isReady() { tell("READY=1") }

  /// Blocks until someone asks us to stop.
  public static func untilStopped() {
    var signals = stoppingSignals()
    var number: Int32 = 0
    while sigwait(&signals, &number) != 0 {}
    tell("STOPPING=1")
  }

  private static func stoppingSignals() -> sigset_t {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGTERM)
    sigaddset(&signals, SIGINT)
    return signals
  }

  private static func tell(_ message: String) {
    guard let path = getenv("NOTIFY_SOCKET").map({ String(cString: $0) }) else { return }
    let socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    guard socket >= 0 else { return }
    defer { close(socket) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var name = Array(path.utf8)
    guard name.count < 108, let first = name.first else { return }
    if first == UInt8(ascii: "@") { name[0] = 0 }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
    let length = socklen_t(2 + name.count)
    // A manager that does not listen is no reason to stop.
    _ = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(socket, message, message.utf8.count, 0, $0, length)
      }
    }
  }
}
