internal import Publishing
internal import SystemPackage

/// What the units of a nightly build are made of.
struct NightlySettings: Sendable {
  var program: FilePath
  var recipe: FilePath
  var store: FilePath
  /// `name=value`, as `--set` takes them.
  var variables: [String]
  var time: String
  var key: FilePath?
  var user: String?
  var metrics: FilePath?
  var onFailure: String?
}

/// The units that build an image every night: file name → text.
///
/// The service is hardened as far as a build bears it. A build makes namespaces, mounts and a fresh
/// `/proc` in them, names its own host, and writes set-user-id programs into an image; so these are
/// left open: RestrictNamespaces, RestrictSUIDSGID, ProtectHostname, ProtectKernelTunables,
/// ProtectControlGroups and ProtectProc. A plain user's build starts `newuidmap`, which is set-user-id:
/// hence no NoNewPrivileges for it.
func nightlyUnits(for image: String, _ settings: NightlySettings) -> [String: String] {
  let name = "build-snapshot-\(image)"
  var command = [settings.program.string, "build", settings.recipe.string]
  command += ["--store", settings.store.string, "--progress", "plain"]
  for variable in settings.variables { command += ["--set", variable] }
  if let metrics = settings.metrics { command += ["--metrics", metrics.string] }
  var writable = [settings.store, settings.recipe.removingLastComponent()]
  if let metrics = settings.metrics { writable.append(metrics.removingLastComponent()) }
  let failure = settings.onFailure ?? "build-snapshot-failed@%n.service"
  var service = """
    [Unit]
    Description=Nightly golden image \(image)
    Documentation=man:systemd.timer(5)
    Wants=network-online.target
    After=network-online.target
    OnFailure=\(failure)
    StartLimitIntervalSec=6h
    StartLimitBurst=4

    [Service]
    Type=oneshot
    ExecStartPre=+/usr/bin/mkdir -p \(quoted(settings.store.string))
    ExecStart=\(command.map(quoted).joined(separator: " "))
    # 69: a source cannot be reached, 75: another build runs. Both may pass.
    Restart=on-failure
    RestartSec=20min
    RestartPreventExitStatus=1 64 65 70 74
    TimeoutStartSec=3h
    TimeoutStopSec=2min

    """
  if let user = settings.user {
    service = service.replacing(
      "mkdir -p ", with: "install -d -o \(user) ")
    service += "User=\(user)\n"
  } else {
    service += "NoNewPrivileges=yes\n"
  }
  if let key = settings.key {
    service += "LoadCredential=\(SigningKey.credentialName):\(escaped(key.string))\n"
  }
  service += """
    UMask=0022
    LimitCORE=0
    Nice=10
    IOSchedulingClass=idle
    OOMPolicy=stop
    ProtectSystem=strict
    ReadWritePaths=\(writable.map { quoted("-" + $0.string) }.joined(separator: " "))
    ProtectHome=\(settings.user == nil ? "read-only" : "no")
    PrivateTmp=yes
    ProtectClock=yes
    ProtectKernelLogs=yes
    ProtectKernelModules=yes
    RestrictRealtime=yes
    RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
    LockPersonality=yes
    SystemCallArchitectures=native

    """
  var units = [
    "\(name).service": service,
    "\(name).timer": """
    [Unit]
    Description=Nightly golden image \(image)

    [Timer]
    OnCalendar=\(settings.time)
    # A machine that slept builds when it wakes; machines of a fleet do not all ask at once.
    Persistent=yes
    RandomizedDelaySec=10min
    AccuracySec=1min

    [Install]
    WantedBy=timers.target

    """,
  ]
  if settings.onFailure == nil {
    units["build-snapshot-failed@.service"] = """
      [Unit]
      Description=Tell that %i failed

      [Service]
      Type=oneshot
      ExecStart=/usr/bin/systemd-cat -t build-snapshot -p err /usr/bin/echo "%i failed; see journalctl -u %i"

      """
  }
  return units
}

/// A word of a command line, as systemd reads it.
private func quoted(_ word: String) -> String {
  let text = escaped(word).replacing("$", with: "$$")
  let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x27 && $0 != 0x5C }
  if isPlain, !text.isEmpty { return text }
  return "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
}

/// `%` begins a specifier in every value.
private func escaped(_ text: String) -> String { text.replacing("%", with: "%%") }
