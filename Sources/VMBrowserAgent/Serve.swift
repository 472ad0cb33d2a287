internal import AgentHTTP
internal import Glibc
internal import Terminal

/// Runs the agent until it is told to stop.
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
    var settings = try Settings(arguments: arguments)
    settings.environment.merge(inheritedEnvironment()) { own, _ in own }
    settings.controlGroup = ControlGroup.delegated()
    settings.agent = pathOfThisProgram() ?? settings.agent
    let log = AgentLog(path: settings.log)
    let signIns = SignIns(settings, log: log)
    let routes = Routes(signIns: signIns)
    let server = try Server.start(
      host: settings.host, port: settings.port, gate: TokenGate(settings.token),
      tunnel: TunnelRoute("vnc", port: settings.vncPort),
      handle: routes.handle)
    log.write("started", ["port": .integer(server.port)])
    Life.isReady()
    Life.untilStopped()
    signIns.stop(within: .seconds(5))
    try server.stop()
    log.write("stopped")
    return 0
  } catch {
    let line = "vm-browser-agent: \(error)\n"
    _ = write(2, line, line.utf8.count)
    return error is FaultyOptions || error is FaultyProviders ? 64 : 1
  }
}
