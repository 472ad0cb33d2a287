/// What must not be in an image, or not as the build left it.
struct NormaliseRule: Sendable {
  enum Action: Sendable {
    /// The path goes, with all that is in it.
    case remove
    /// Files and links at the path or below it go; folders stay, for what writes there later.
    case removeFiles
    /// The file stays and is empty.
    case empty
  }

  let action: Action
  /// `*` and `?` stand for parts of one name.
  let pattern: String
  let reason: String

  init(_ action: Action, _ pattern: String, _ reason: String) {
    self.action = action
    self.pattern = pattern
    self.reason = reason
  }
}

extension NormaliseRule {
  /// All rules, in the order in which they are carried out.
  static let all: [NormaliseRule] =
    [
      // Empty and not "uninitialized": that would make the first boot of each clone one at which
      // systemd enables every unit that no preset forbids.
      NormaliseRule(.empty, "/etc/machine-id", identity),
      NormaliseRule(.remove, "/etc/ssh/ssh_host_*_key", identity),
      NormaliseRule(.remove, "/etc/ssh/ssh_host_*_key.pub", identity),
      NormaliseRule(.remove, "/var/lib/dbus/machine-id", identity),
      NormaliseRule(.remove, "/var/lib/systemd/random-seed", identity),
      NormaliseRule(.remove, "/var/lib/urandom/random-seed", identity),
      NormaliseRule(.remove, "/var/lib/systemd/credential.secret", identity),
      NormaliseRule(.remove, "/var/lib/NetworkManager/secret_key", identity),
      NormaliseRule(.remove, "/etc/hostid", identity),
    ]
    + [
      "/root/.bash_history", "/root/.lesshst", "/root/.wget-hsts", "/home/*/.bash_history",
    ].map { NormaliseRule(.remove, $0, "what was typed or fetched while building") }
    + [
      "/var/log", "/var/lib/systemd/timers", "/var/lib/systemd/timesync", "/var/lib/logrotate",
    ].map { NormaliseRule(.removeFiles, $0, "what happened while building, and when") }
    + [
      "/var/lib/apt/lists", "/var/cache/apt", "/var/cache/man", "/var/cache/ldconfig",
    ].map { NormaliseRule(.removeFiles, $0, "a cache that is made again when it is needed") }
    + [
      "/etc/.pwd.lock", "/var/lib/dpkg/lock", "/var/lib/dpkg/lock-frontend",
      "/var/lib/dpkg/triggers/Lock", "/var/lib/apt/daily_lock", "/var/cache/debconf/*.lock",
      "/var/lib/ucf/*.lock",
    ].map { NormaliseRule(.remove, $0, "a lock") }
    + [
      "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-",
      "/etc/subgid-", "/var/lib/dpkg/*-old", "/var/cache/debconf/*-old", "/var/lib/ucf/*.[0-9]",
      "/var/lib/ucf/cache/*.[0-9]", "/var/lib/sgml-base/*.old", "/var/lib/xml-core/*.old",
      "/etc/sgml/*.old", "/etc/xml/*.old", "/var/lib/apt/extended_states.*", "/var/backups/*",
    ].map { NormaliseRule(.remove, $0, "the state before the last change") }
    + ["/tmp/*", "/tmp/.*", "/var/tmp/*", "/var/tmp/.*", "/run/*", "/run/.*"].map {
      NormaliseRule(.remove, $0, "a temporary file")
    }

  private static let identity = "it names one machine, and each clone makes its own"
}
