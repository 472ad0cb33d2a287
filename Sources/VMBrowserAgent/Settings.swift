internal import AgentHTTP

/// What the agent is told at its start.
struct Settings: Sendable {
  var host = "127.0.0.1"
  var port = 8080
  /// Folder on tmpfs for the sessions.
  var sessions = "/run/vm-browser-agent"
  /// Folder for the sessions' logs.
  var logs = "/tmp"
  /// The agent's own log; nil is standard error.
  var log: String?
  var token: [TokenGate.Source] = [.kernelCommandLine(name: "golden.token")]
  var providers = Provider.builtIn
  /// The browser's command; `{url}` and `{profile}` are filled in. Empty opens none.
  var browser = [
    "chromium", "--user-data-dir={profile}", "--no-first-run", "--no-default-browser-check",
    "--disable-sync", "--password-store=basic", "--start-maximized", "{url}",
  ]
  /// Port of noVNC on the loopback address, which `/vnc/` leads to.
  var vncPort = 6080
  /// PATH and other variables of the programs that the agent starts.
  var environment = [
    "PATH": "/opt/clis/bin:/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "DISPLAY": ":1",
    // The tools are as the image has them: they do not replace themselves.
    "DISABLE_AUTOUPDATER": "1",
  ]
  /// Path of this program.
  var agent = "/proc/self/exe"
  /// The control group below which each session gets its own; nil without control groups.
  var controlGroup: String?
  /// Sessions that may run at once.
  var mostRunning = 4
  /// How long a session that is over can be asked about, and its credentials fetched.
  var keepTime = Duration.seconds(600)

  /// The options, for `--help` and for the check of the command line.
  static let usage = """
    Usage: vm-browser-agent [options]
      --listen HOST:PORT    address to listen on (default 127.0.0.1:8080)
      --token-file FILE     bearer token of the controller; without one: golden.token=… on the
                            kernel's command line
      --providers FILE      JSON file of providers that go before the built-in ones
      --sessions FOLDER     folder on tmpfs for sessions (default /run/vm-browser-agent)
      --logs FOLDER         folder for the logs of sessions (default /tmp)
      --log FILE            log of the agent, JSON lines, rotated (default: standard error)
      --browser COMMAND     words of the browser's command with {url} and {profile}; "" opens none
      --vnc PORT            port of noVNC on the loopback address, reached at /vnc/ (default 6080)
      --path PATH           PATH of the programs that sign in
    """

  /// Reads the command line.
  init(arguments: [String]) throws {
    let options = try Options(
      arguments,
      known: [
        "--listen", "--token-file", "--providers", "--sessions", "--logs", "--log", "--browser",
        "--path", "--vnc",
      ])
    if let address = options["--listen"] { (host, port) = try Options.address(address) }
    if let file = options["--token-file"] { token.insert(.file(file), at: 0) }
    if let file = options["--providers"] {
      guard let bytes = contents(of: file, limit: 1 << 20) else {
        throw FaultyOptions("cannot read '\(file)'")
      }
      providers = try readProviders(bytes) + providers
    }
    sessions = options["--sessions"] ?? sessions
    logs = options["--logs"] ?? logs
    log = options["--log"]
    if let words = options["--browser"] { browser = words.split(separator: " ").map(String.init) }
    vncPort = try options.count("--vnc", else: 6080)
    if let path = options["--path"] { environment["PATH"] = path }
  }

  init() {}
}
