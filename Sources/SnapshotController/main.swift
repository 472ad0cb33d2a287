internal import AgentHTTP
internal import Glibc
internal import SnapshotClient

exit(serve(Array(CommandLine.arguments.dropFirst())))

/// Runs the controller until it is told to stop; its machines go on.
///
/// - Returns: the exit status.
func serve(_ arguments: [String]) -> Int32 {
  let usage = "Usage: snapshot-controller --config FILE [--log FILE]\n"
  if arguments == ["--help"] {
    print(usage, terminator: "")
    return 0
  }
  do {
    Life.begin()
    let options = try Options(arguments, known: ["--config", "--log"])
    guard let file = options["--config"] else { throw FaultyOptions("--config is needed") }
    guard let bytes = contents(of: file, limit: 1 << 20) else {
      throw FaultyOptions("cannot read '\(file)'")
    }
    let configuration = try Configuration(json: bytes)
    let missing = configuration.missing()
    guard missing.isEmpty else { throw FaultyOptions(missing.joined(separator: "\n  ")) }
    let log = AgentLog(path: options["--log"])
    let fleet = try Fleet(configuration, log)
    let sessions = AuthSessions(fleet: fleet)
    try fleet.takeUp()
    let server = try listen(configuration, Routes(fleet: fleet, sessions: sessions))
    log.write("listening", ["port": .integer(server.port)])
    try sessions.takeUp()
    startThread { tend(fleet, sessions) }
    Life.isReady()
    Life.untilStopped()
    try server.stop()
    log.write("stopped")
    return 0
  } catch {
    let line = "snapshot-controller: \(error)\n"
    _ = write(2, line, line.utf8.count)
    return error is FaultyOptions ? 64 : 1
  }
}

private func listen(_ configuration: Configuration, _ routes: Routes) throws -> Server {
  do {
    return try Server.start(
      host: configuration.host, port: configuration.port,
      gate: TokenGate([.file(configuration.tokenFile)]), handle: routes.handle)
  } catch {
    throw HostFailure(doing: "listen on \(configuration.host):\(configuration.port)", error)
  }
}

/// Looks after the machines and the sessions every second, and at the catalogs as soon as they change.
private func tend(_ fleet: Fleet, _ sessions: AuthSessions) {
  let images = Set(fleet.configuration.roles.map(\.image)).sorted()
  let watches = images.map { CatalogWatch(store: fleet.configuration.store, image: $0) }
  while true {
    do {
      try fleet.tend()
      try sessions.removeOld()
    } catch {
      fleet.log.write("tending failed", ["error": .string("\(error)")])
    }
    // The first watch wakes us; the others are looked at each second anyway.
    _ = watches.first?.wait(upTo: .seconds(1))
  }
}
