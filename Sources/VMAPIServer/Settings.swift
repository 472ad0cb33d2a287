internal import AgentHTTP

/// What the server is told at its start.
struct Settings: Sendable {
  var host = "127.0.0.1"
  var port = 8081
  /// The server's own log; nil is standard error.
  var log: String?
  var token: [TokenGate.Source] = [.kernelCommandLine(name: "golden.token")]
  var providers = Provider.builtIn
  /// Home of the programs, and the folder below which runs may work.
  var home = "/home/agent"
  var environment = [
    "PATH": "/opt/clis/bin:/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TERM": "dumb",
    // The tools are as the image has them: they do not replace themselves.
    "DISABLE_AUTOUPDATER": "1",
  ]
  /// The control group below which each run gets its own; nil without control groups.
  var controlGroup: String?
  /// Runs at once, and runs that wait for their turn.
  var mostRunning = 2
  var mostWaiting = 16
  /// Bytes that a run may print.
  var mostOutput = 64 << 20
  /// Seconds that a run may last, at most, and if it does not say.
  var longestTime = 3600
  var usualTime = 600

  static let usage = """
    Usage: vm-api-server [options]
      --listen HOST:PORT    address to listen on (default 127.0.0.1:8081)
      --token-file FILE     bearer token of the controller; without one: golden.token=… on the
                            kernel's command line
      --providers FILE      JSON file of providers that go before the built-in ones
      --home FOLDER         home of the programs (default: $HOME, or /home/agent)
      --log FILE            log of the server, JSON lines, rotated (default: standard error)
      --path PATH           PATH of the programs
      --most-running N      prompts that run at once (default 2)
      --most-waiting N      prompts that wait for their turn (default 16)
      --most-output BYTES   what one prompt may print (default 67108864)
    """

  /// Reads the command line.
  init(arguments: [String], home: String?) throws {
    let options = try Options(
      arguments,
      known: [
        "--listen", "--token-file", "--providers", "--home", "--log", "--path", "--most-running",
        "--most-waiting", "--most-output",
      ])
    if let address = options["--listen"] { (host, port) = try Options.address(address) }
    if let file = options["--token-file"] { token.insert(.file(file), at: 0) }
    if let file = options["--providers"] {
      guard let bytes = contents(of: file, limit: 1 << 20) else {
        throw FaultyOptions("cannot read '\(file)'")
      }
      providers = try readProviders(bytes) + providers
    }
    self.home = options["--home"] ?? home ?? self.home
    log = options["--log"]
    if let path = options["--path"] { environment["PATH"] = path }
    mostRunning = try options.count("--most-running", else: mostRunning)
    mostWaiting = try options.count("--most-waiting", else: mostWaiting)
    mostOutput = try options.count("--most-output", else: mostOutput)
  }

  init() {}
}
