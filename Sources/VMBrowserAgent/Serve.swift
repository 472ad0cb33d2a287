internal import AgentHTTP
internal import Terminal

/// Runs the agent until it is told to stop.
///
/// - Returns: the exit status.
func serve(_ arguments: [String]) -> Int32 {
  Life.run(
    "vm-browser-agent", arguments, usage: Settings.usage, isFaultyUse: { $0 is FaultyProviders }
  ) {
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
    try Life.serve(server, log: log) { signIns.stop(within: .seconds(5)) }
  }
}
