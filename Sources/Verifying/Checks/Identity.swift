internal import Model

/// Nothing that each clone must have of its own is in the image: two clones would share it.
struct IdentityCheck: Check {
  let name = "identity"

  func findings(in subject: Subject) throws -> [Finding] {
    var findings: [Finding] = []
    for path in ["/etc/machine-id", "/var/lib/dbus/machine-id"] {
      guard let text = try subject.text(path) else { continue }
      let id = text.split(separator: "\n").first.map(String.init) ?? ""
      guard id.isEmpty || id == "uninitialized" else {
        findings.append(
          finding(
            path, "holds the machine id '\(id.prefix(8))…', the same for every clone",
            hint: "leave it empty: systemd makes one at the first boot"))
        continue
      }
    }
    for entry in subject.files.tree.entries {
      let path = shown(entry.path)
      guard let rule = rules.first(where: { $0.matches(path) }) else { continue }
      let node = subject.files.tree.nodes[entry.node]
      guard case .file(let file) = node.kind, file.size > 0 else { continue }
      findings.append(finding(path, "is \(rule.what), the same for every clone", hint: rule.hint))
    }
    return findings
  }

  private struct Rule: Sendable {
    var patterns: [String]
    var what: String
    var hint: String

    func matches(_ path: String) -> Bool {
      patterns.contains { Verifying.matches($0, path) }
    }
  }

  private let rules: [Rule] = [
    Rule(
      patterns: ["/etc/ssh/ssh_host_*_key", "/etc/ssh/ssh_host_*_key.pub"], what: "an SSH host key",
      hint: "remove it; let a unit run 'ssh-keygen -A' at the first boot"),
    Rule(
      patterns: ["/var/lib/systemd/random-seed", "/boot/efi/loader/random-seed"],
      what: "a random seed", hint: "remove it: clones with equal seeds draw equal numbers"),
    Rule(
      patterns: ["/var/lib/systemd/credential.secret"], what: "the key of systemd's credentials",
      hint: "remove it: systemd makes one when it needs it"),
    Rule(
      patterns: [
        "/var/lib/dhcp/*.leases", "/var/lib/dhclient/*", "/var/lib/NetworkManager/*.lease",
      ],
      what: "a DHCP lease", hint: "remove it in a [[run]]"),
  ]
}

/// Nobody's credentials, history or caches are in the image.
struct CredentialsCheck: Check {
  let name = "credentials"

  func findings(in subject: Subject) throws -> [Finding] {
    var findings: [Finding] = []
    for entry in subject.files.tree.entries {
      let path = shown(entry.path)
      guard
        path.hasPrefix("/root/") || path.hasPrefix("/home/") || path.hasPrefix("/etc/")
          || path.hasPrefix("/var/") || path.hasPrefix("/opt/")
      else { continue }
      guard
        let rule = Self.rules.first(where: { rule in rule.ends.contains(where: path.hasSuffix) })
      else { continue }
      if case .file(let file) = subject.files.tree.nodes[entry.node].kind, file.size == 0 {
        continue
      }
      findings.append(finding(path, "is \(rule.what)", hint: "remove it in a [[run]]"))
    }
    return findings
  }

  private static let rules: [(ends: [String], what: String)] = [
    (["/.ssh/authorized_keys", "/.ssh/authorized_keys2"], "a list of keys that may log in"),
    (["/.ssh/id_rsa", "/.ssh/id_ed25519", "/.ssh/id_ecdsa", "/.ssh/id_dsa"], "a private SSH key"),
    (
      [
        "/.codex/auth.json", "/.claude/.credentials.json", "/.gemini/oauth_creds.json",
        "/.docker/config.json", "/.aws/credentials", "/.netrc", "/.git-credentials", "/.pgpass",
        "/.config/gh/hosts.yml", "/.config/gcloud/credentials.db",
      ], "someone's credentials"
    ),
    (["/.npm/_cacache", "/.npm/_logs"], "npm's cache, which keeps signed addresses"),
    (
      [
        "/.bash_history", "/.zsh_history", "/.ash_history", "/.python_history", "/.lesshst",
        "/.viminfo", "/.node_repl_history", "/.wget-hsts",
      ], "someone's history"
    ),
  ]
}

/// No account of the image has a password.
struct PasswordsCheck: Check {
  let name = "passwords"

  func findings(in subject: Subject) throws -> [Finding] {
    var findings: [Finding] = []
    for path in ["/etc/shadow", "/etc/passwd", "/etc/gshadow"] {
      guard let text = try subject.text(path) else { continue }
      for line in text.split(separator: "\n") {
        let fields = line.split(separator: ":", omittingEmptySubsequences: false)
        guard fields.count > 2 else { continue }
        let word = fields[1]
        if word == "x" || word == "*" || word.hasPrefix("!") { continue }
        // A group without a password is the usual one; an account without a password is open.
        if word.isEmpty, path == "/etc/gshadow" { continue }
        let what =
          word.isEmpty
          ? "lets anyone log in as '\(fields[0])' without a password"
          : "holds a password of '\(fields[0])', the same for every clone"
        findings.append(
          finding(path, what, hint: "lock the account: 'passwd --lock \(fields[0])'"))
      }
    }
    return findings
  }
}
