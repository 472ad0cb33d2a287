internal import AgentHTTP
internal import Glibc
internal import Terminal

exit(serve(Array(CommandLine.arguments.dropFirst())))

/// Runs the server until it is told to stop.
///
/// - Returns: the exit status.
func serve(_ arguments: [String]) -> Int32 {
  if arguments == ["--help"] {
    print(Settings.usage)
    return 0
  }
  do {
    Life.begin()
    hideMemory()
    let ownHome = getenv("HOME").map { String(cString: $0) }
    var settings = try Settings(arguments: arguments, home: ownHome)
    settings.environment.merge(inheritedEnvironment()) { own, _ in own }
    settings.controlGroup = ControlGroup.delegated()
    let log = AgentLog(path: settings.log)
    let runs = Runs(settings, log: log)
    let home = Home(settings)
    let routes = Routes(settings: settings, runs: runs, home: home)
    let server = try Server.start(
      host: settings.host, port: settings.port, gate: TokenGate(settings.token),
      handle: routes.handle)
    log.write("listening", ["port": .integer(server.port)])
    Life.isReady()
    startThread { home.learnVersions() }
    Life.untilStopped()
    runs.stop(within: .seconds(5))
    try server.stop()
    log.write("stopped")
    return 0
  } catch {
    let line = "vm-api-server: \(error)\n"
    _ = write(2, line, line.utf8.count)
    return error is FaultyOptions || error is JSONFault ? 64 : 1
  }
}
