internal import Isolation
internal import Model
internal import SystemPackage

/// What makes the image one of ours: its name, time zone, locale and release.
struct SystemSettings {
  let root: RootFolder
  let sandbox: Sandbox
  /// `[image]` of the recipe.
  let image: Recipe.Image

  func apply() throws {
    try setName()
    try setTimeZone()
    try setLocale()
    try setRelease(["IMAGE_ID": image.name])
    try addHostKeyUnit()
  }

  private func setName() throws {
    try root.makeFolders("/etc")
    try write("\(image.hostname)\n", to: "/etc/hostname")
    let hosts = String(decoding: try root.contents(of: "/etc/hosts") ?? [], as: UTF8.self)
    let standard = """
      127.0.0.1 localhost
      ::1 localhost ip6-localhost ip6-loopback
      ff02::1 ip6-allnodes
      ff02::2 ip6-allrouters

      """
    let isNamed = hosts.split(separator: "\n").contains { line in
      line.split(whereSeparator: \.isWhitespace).dropFirst().contains { $0 == image.hostname }
    }
    // Programs such as sudo look their own machine up.
    guard !isNamed else { return }
    let kept = hosts.isEmpty || hosts.hasSuffix("\n") ? hosts : hosts + "\n"
    try write(
      (kept.isEmpty ? standard : kept) + "127.0.1.1 \(image.hostname)\n", to: "/etc/hosts")
  }

  private func setTimeZone() throws {
    let zone = FilePath("/usr/share/zoneinfo").pushing(FilePath(image.timezone))
    guard try root.status(of: zone, followsLinks: true)?.kind == .file else {
      // Without a file every program takes UTC.
      if image.timezone == "UTC" || image.timezone == "Etc/UTC" { return }
      throw FaultyRecipe(
        at: image.position, "the image has no time zone '\(image.timezone)'",
        hint: "add the package 'tzdata', or correct the name")
    }
    try root.makeLink("/etc/localtime", to: zone)
    try write("\(image.timezone)\n", to: "/etc/timezone")
  }

  private func setLocale() throws {
    if !["C", "POSIX", "C.UTF-8"].contains(image.locale) { try makeLocale() }
    try root.makeFolders("/etc/default")
    let text = "LANG=\(image.locale)\n"
    // Newer distributions have one of the two as a link to the other.
    let isLink = try root.status(of: "/etc/default/locale")?.kind == .link
    if isLink {
      try write(text, to: "/etc/locale.conf")
    } else {
      try write(text, to: "/etc/default/locale")
      if try root.status(of: "/etc/locale.conf") == nil {
        try root.makeLink("/etc/locale.conf", to: "default/locale")
      }
    }
  }

  private func makeLocale() throws {
    let parts = image.locale.split(separator: ".")
    let charset = parts.count == 2 ? String(parts[1]) : "ISO-8859-1"
    let listed = "/usr/share/i18n/SUPPORTED"
    let supported = String(
      decoding: try root.contents(of: FilePath(listed)) ?? [], as: UTF8.self)
    guard supported.split(separator: "\n").contains("\(image.locale) \(charset)") else {
      throw FaultyRecipe(
        at: image.position, "the image cannot make the locale '\(image.locale)'",
        hint: supported.isEmpty ? "add the package 'locales'" : "see '\(listed)' in the image")
    }
    try write("\(image.locale) \(charset)\n", to: "/etc/locale.gen")
    let result = try sandbox.run(SandboxCommand(["locale-gen"]))
    guard result.isSuccess else {
      throw CustomiseFailure.run(
        name: "locale-gen", ending: result.ending.description,
        output: result.text.split(separator: "\n").map(String.init))
    }
  }

  /// Says which build this is: apart from the rest, since it changes with every lock.
  func nameBuild(_ id: String) throws { try setRelease(["BUILD_ID": id]) }

  /// Adds fields to the distribution's, in a file of our own: the package's stays as it was.
  private func setRelease(_ fields: [String: String]) throws {
    let release = try root.contents(of: "/etc/os-release") ?? []
    let kept = String(decoding: release, as: UTF8.self).split(separator: "\n").filter { line in
      !fields.keys.contains { line.hasPrefix($0 + "=") }
    }
    let ours = fields.sorted { $0.key < $1.key }.map { "\($0.key)=\"\($0.value)\"" }
    try write((kept.map(String.init) + ours).joined(separator: "\n") + "\n", to: "/etc/os-release")
  }

  /// Lets each clone make its own key, where the image has an SSH server.
  ///
  /// Only the kind that every client since 2014 takes and that is made at once: an RSA key holds up a
  /// clone's first boot, half a minute of it in an emulator. A key that a crash left empty is made anew.
  private func addHostKeyUnit() throws {
    guard try root.status(of: "/usr/sbin/sshd", followsLinks: true) != nil else { return }
    let name = "ssh-host-keys.service"
    let text = """
      [Unit]
      Description=SSH host key of this machine
      Documentation=man:ssh-keygen(1)
      ConditionFileNotEmpty=!/etc/ssh/ssh_host_ed25519_key
      Before=ssh.service ssh.socket

      [Service]
      Type=oneshot
      ExecStartPre=/bin/rm -f /etc/ssh/ssh_host_ed25519_key
      ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -C "" -f /etc/ssh/ssh_host_ed25519_key
      RemainAfterExit=yes

      [Install]
      WantedBy=ssh.service ssh.socket

      """
    try UnitInstaller(root: root).install([
      Recipe.Unit(name: name, text: text, state: .enabled, position: image.position)
    ])
  }

  private func write(_ text: String, to path: FilePath) throws(RootFailure) {
    try root.write(Array(text.utf8), to: path)
  }
}
