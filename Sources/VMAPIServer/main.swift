internal import AgentHTTP
internal import Glibc
internal import Terminal

exit(serve(Array(CommandLine.arguments.dropFirst())))

/// Runs the server until it is told to stop.
///
/// - Returns: the exit status.
func serve(_ arguments: [String]) -> Int32 {
  Life.run("vm-api-server", arguments, usage: Settings.usage, isFaultyUse: { $0 is JSONFault }) {
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
    startThread { home.learnVersions() }
    try Life.serve(server, log: log) { runs.stop(within: .seconds(5)) }
  }
}
