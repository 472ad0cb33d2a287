internal import Isolation
internal import SystemPackage

/// Keeps maintainer scripts from starting services and from making what would be thrown away, until
/// `restore` is called.
///
/// `policy-rc.d` forbids starting through `invoke-rc.d`; a `start-stop-daemon` that does nothing stands
/// in for the real one; empty host keys keep openssh-server from making real ones.
struct ServicesOff {
  private let root: RootFolder
  private let added: [FilePath]
  private let daemonStarter: FilePath?

  init(in root: RootFolder, debs: [Deb]) throws {
    self.root = root
    var added: [FilePath] = []
    func add(_ path: FilePath, _ text: String, mode: UInt16) throws {
      try root.write(Array(text.utf8), to: path, mode: mode)
      added.append(path)
    }
    try add("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", mode: 0o755)
    if debs.contains(where: { $0.package.name == "openssh-server" }) {
      try root.makeFolders("/etc/ssh")
      for kind in ["dsa", "ecdsa", "ed25519", "rsa"] {
        try add(FilePath("/etc/ssh/ssh_host_\(kind)_key"), "", mode: 0o600)
      }
    }
    self.added = added
    let starter: FilePath = "/usr/sbin/start-stop-daemon"
    daemonStarter = try root.status(of: starter)?.kind == .file ? starter : nil
    if let daemonStarter {
      try root.makeHardLink(Self.real(daemonStarter), to: daemonStarter)
      try root.write(Array("#!/bin/sh\nexit 0\n".utf8), to: daemonStarter, mode: 0o755)
    }
  }

  func restore() throws {
    for path in added { try root.remove(path) }
    guard let daemonStarter else { return }
    try root.makeHardLink(daemonStarter, to: Self.real(daemonStarter))
    try root.remove(Self.real(daemonStarter))
  }

  private static func real(_ path: FilePath) -> FilePath { FilePath(path.string + ".real") }
}
