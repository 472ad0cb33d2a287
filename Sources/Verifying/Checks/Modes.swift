internal import Model

/// No file outside of the temporary folders can be written by everyone, and programs that run as
/// another user are known ones.
struct ModesCheck: Check {
  let name = "modes"

  func findings(in subject: Subject) throws -> [Finding] {
    var findings: [Finding] = []
    var known = Self.known
    if let browser = subject.recipe?.chromium, browser.source != .apt {
      known += browser.helperPaths
    }
    for entry in subject.files.tree.entries {
      let node = subject.files.tree.nodes[entry.node]
      let path = shown(entry.path)
      switch node.kind {
      case .symlink: continue
      case .characterDevice, .blockDevice:
        if !path.hasPrefix("/dev/") {
          findings.append(finding(path, "is a device file outside of /dev"))
        }
        continue
      default: break
      }
      if node.mode & 0o002 != 0, !isForAll(path, node.mode) {
        findings.append(
          finding(
            path, "can be written to by everyone (mode \(String(node.mode, radix: 8)))",
            hint: "take the permission away: 'chmod o-w \(path)'"))
      }
      guard case .file = node.kind, node.mode & 0o6000 != 0 else { continue }
      guard !known.contains(where: { matches($0, path) }) else { continue }
      let who = node.mode & 0o4000 != 0 ? "user \(node.uid)" : "group \(node.gid)"
      findings.append(
        finding(
          path, "runs as \(who) whoever starts it, and is not among the known programs that do",
          hint: "take the bit away, or name it in an [[allow]] with the reason"))
    }
    return findings
  }

  private func isForAll(_ path: String, _ mode: UInt16) -> Bool {
    ["/tmp", "/var/tmp", "/dev", "/run", "/run/lock", "/var/lock"].contains(path)
      || ["/tmp/", "/var/tmp/", "/dev/", "/run/"].contains(where: path.hasPrefix)
  }

  /// What Debian and Ubuntu bring, by the path after merging /usr.
  private static let known = [
    "/usr/bin/chage", "/usr/bin/chfn", "/usr/bin/chsh", "/usr/bin/expiry", "/usr/bin/fusermount3",
    "/usr/bin/gpasswd", "/usr/bin/mount", "/usr/bin/newgrp", "/usr/bin/newuidmap",
    "/usr/bin/newgidmap", "/usr/bin/passwd", "/usr/bin/pkexec", "/usr/bin/ssh-agent",
    "/usr/bin/su", "/usr/bin/sudo", "/usr/bin/umount", "/usr/bin/wall", "/usr/bin/write.ul",
    "/usr/bin/crontab", "/usr/bin/dotlockfile", "/usr/bin/bsd-write",
    "/usr/lib/chromium/chrome-sandbox", "/opt/google/chrome/chrome-sandbox",
    "/usr/lib/dbus-1.0/dbus-daemon-launch-helper", "/usr/lib/openssh/ssh-keysign",
    "/usr/lib/polkit-1/polkit-agent-helper-1", "/usr/lib/xorg/Xorg.wrap",
    "/usr/sbin/pam_extrausers_chkpwd", "/usr/sbin/unix_chkpwd", "/usr/lib/*/utempter/utempter",
    "/bin/mount", "/bin/su", "/bin/umount", "/sbin/unix_chkpwd",
  ]
}
