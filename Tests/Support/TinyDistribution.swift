public import SystemPackage

/// A distribution of a handful of debs, made from this machine's own programs: large enough that real
/// dpkg configures it and programs run in it, small enough that an image of it takes seconds.
///
/// Essential: `base-files`, `base-passwd`, `libc6`, `dash`, `coreutils`, `dpkg`, `tar`; beside them
/// `apt`, and `hello`, a script with a configuration file and a maintainer script.
public struct TinyDistribution {
  /// The debs, ready for a repository.
  public let debs: [FilePath]

  public init(in folder: FilePath, helloVersion: String = "1.0") throws {
    var builder = DebBuilder(folder: folder)
    let libraries = try hostLibraries(of: Self.programs.values.flatMap { $0 })
    try builder.add(
      "base-files", control: "Essential: yes",
      files: [
        "etc/debian_version": "12\n", "etc/issue": "tiny\n",
        "usr/lib/os-release": "ID=ubuntu\nVERSION_ID=\"22.04\"\nVERSION_CODENAME=jammy\n",
      ],
      folders: Self.folders,
      links: [
        "bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64",
        "etc/os-release": "../usr/lib/os-release",
      ])
    try builder.add(
      "base-passwd", control: "Essential: yes",
      files: [
        "usr/share/base-passwd/passwd.master": Self.passwd,
        "usr/share/base-passwd/group.master": Self.group,
      ],
      scripts: ["preinst": Self.passwdScript])
    try builder.add("libc6", control: "Essential: yes", copies: libraries)
    for (name, programs) in Self.programs.sorted(by: { $0.key < $1.key }) {
      try builder.add(
        name, control: (name == "apt" ? "" : "Essential: yes\n") + "Pre-Depends: libc6",
        copies: programs, links: name == "dash" ? ["usr/bin/sh": "dash"] : [:])
    }
    try builder.add(
      "hello", version: helloVersion, control: "Depends: libc6",
      files: ["etc/hello.conf": "greeting=hello\n", "usr/bin/hello": "#!/bin/sh\necho hello\n"],
      scripts: ["postinst": "#!/bin/sh\nset -e\necho \"hello is configured\"\n"],
      conffiles: ["/etc/hello.conf"])
    debs = builder.debs
  }

  private static let programs = [
    "dash": ["/usr/bin/dash"],
    "coreutils": [
      "cat", "chmod", "chown", "cp", "echo", "false", "id", "ln", "ls", "mkdir", "mv", "rm",
      "rmdir",
      "sleep", "stat", "sync", "touch", "true", "uname", "head", "wc", "sha256sum", "test", "env",
      "basename", "dirname", "sort", "cut", "tr", "tail", "md5sum", "readlink", "expr", "mknod",
      "dd",
    ].map { "/usr/bin/\($0)" },
    "dpkg": [
      "/usr/bin/dpkg", "/usr/bin/dpkg-deb", "/usr/bin/dpkg-split", "/usr/bin/dpkg-query",
      "/usr/bin/dpkg-trigger", "/usr/bin/dpkg-divert", "/usr/bin/dpkg-statoverride",
      "/usr/sbin/start-stop-daemon", "/usr/sbin/ldconfig", "/usr/bin/update-alternatives",
      "/usr/share/dpkg/cputable", "/usr/share/dpkg/ostable", "/usr/share/dpkg/tupletable",
    ],
    "tar": ["/usr/bin/tar", "/usr/bin/grep", "/usr/bin/sed", "/usr/bin/diff"],
    "apt": ["/usr/bin/apt-get", "/usr/bin/apt-cache", "/usr/bin/apt-mark", "/usr/bin/apt-config"],
  ]

  private static let folders = [
    "boot", "dev", "etc", "home", "proc", "root", "run", "sys", "tmp", "usr/bin", "usr/sbin",
    "usr/lib",
    "usr/lib64", "var/lib/dpkg", "var/log", "var/tmp", "var/cache/apt/archives/partial",
    "var/lib/apt/lists/partial", "etc/apt/apt.conf.d", "etc/apt/preferences.d",
    "etc/apt/sources.list.d",
    "etc/dpkg/dpkg.cfg.d",
    "var/lib/dpkg/info", "etc/alternatives", "etc/skel",
  ]

  private static let passwd = """
    root:*:0:0:root:/root:/bin/sh
    daemon:*:1:1:daemon:/usr/sbin:/usr/sbin/nologin
    nobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin

    """
  private static let group = "root:*:0:\ndaemon:*:1:\nsudo:*:27:\nvideo:*:44:\nnogroup:*:65534:\n"
  private static let passwdScript = """
    #!/bin/sh
    set -e
    if [ ! -e /etc/passwd ]; then
      cp /usr/share/base-passwd/passwd.master /etc/passwd
      cp /usr/share/base-passwd/group.master /etc/group
      printf 'root:*:19000:0:99999:7:::\\ndaemon:*:19000:0:99999:7:::\\nnobody:*:19000:0:99999:7:::\\n' \\
        > /etc/shadow
      chmod 640 /etc/shadow
      chown 0:0 /etc/shadow
    fi

    """
}

/// The shared libraries and the loader that some of this machine's programs need.
private func hostLibraries(of programs: [String]) throws -> [String] {
  let listing = try runTool("ldd", programs).output
  var libraries: Set<String> = ["/usr/lib64/ld-linux-x86-64.so.2"]
  for line in listing.split(separator: "\n") {
    guard let arrow = line.range(of: "=> /") else { continue }
    let path = line[line.index(before: arrow.upperBound)...].split(separator: " ")[0]
    libraries.insert(path.hasPrefix("/usr/") ? String(path) : "/usr" + path)
  }
  return libraries.sorted()
}

/// Makes debs of small files with `dpkg-deb`.
public struct DebBuilder {
  public private(set) var debs: [FilePath] = []
  private let folder: FilePath

  public init(folder: FilePath) { self.folder = folder }

  /// Adds one deb.
  ///
  /// - Parameters:
  ///   - control: further lines of the control file.
  ///   - files: path in the package → text; programs where the text begins with `#!`.
  ///   - copies: absolute paths of this machine, to be packaged under the same paths.
  ///   - links: path → target.
  public mutating func add(
    _ name: String, version: String = "1.0", architecture: String = "amd64", control: String = "",
    files: [String: String] = [:], copies: [String] = [], folders: [String] = [],
    links: [String: String] = [:], scripts: [String: String] = [:], conffiles: [String] = []
  ) throws {
    let root = folder.appending("\(name)_\(version)")
    var commands = ["set -eu", "umask 022", "mkdir -p '\(root)/DEBIAN'"]
    for folder in folders { commands.append("mkdir -p '\(root)/\(folder)'") }
    for path in copies {
      commands.append(
        "mkdir -p \"$(dirname '\(root)\(path)')\" && cp -L '\(path)' '\(root)\(path)'")
    }
    for (path, target) in links.sorted(by: { $0.key < $1.key }) {
      commands.append(
        "mkdir -p \"$(dirname '\(root)/\(path)')\" && ln -s '\(target)' '\(root)/\(path)'")
    }
    _ = try runTool("sh", ["-c", commands.joined(separator: "\n")]).succeeded()
    for (path, text) in files { try write(text, to: root.appending(path)) }
    for (script, text) in scripts { try write(text, to: root.appending("DEBIAN/\(script)")) }
    if !conffiles.isEmpty {
      try write(conffiles.joined(separator: "\n") + "\n", to: root.appending("DEBIAN/conffiles"))
    }
    let more = control.isEmpty ? "" : control + "\n"
    try write(
      """
      Package: \(name)
      Version: \(version)
      Architecture: \(architecture)
      Maintainer: Nobody <nobody@example.org>
      Priority: optional
      Section: misc
      \(more)Description: \(name)

      """.replacing("\n\n", with: "\n"), to: root.appending("DEBIAN/control"))
    let deb = folder.appending("\(name)_\(version)_\(architecture).deb")
    _ = try runTool(
      "dpkg-deb", ["--root-owner-group", "-Zgzip", "-z1", "--build", root.string, deb.string],
      environment: ["SOURCE_DATE_EPOCH": "1700000000"]
    ).succeeded()
    debs.append(deb)
  }

  private func write(_ text: String, to path: FilePath) throws {
    let mode = text.hasPrefix("#!") ? "755" : "644"
    _ = try runTool(
      "sh",
      [
        "-c", "mkdir -p \"$(dirname \"$1\")\" && cat > \"$1\" && chmod \(mode) \"$1\"", "sh",
        path.string,
      ],
      input: .init(text.utf8)
    ).succeeded()
  }
}
