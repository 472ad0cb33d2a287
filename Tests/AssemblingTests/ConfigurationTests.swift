import Content
import Foundation
import Isolation
import Model
import Support
import Synchronization
import SystemPackage
import Testing

@testable import Assembling

@Suite(
  "Installing packages", .enabled(if: isRoot && hasTool("dpkg-deb"), "needs root and dpkg"))
struct ConfigurationTests {
  let folder = Result { try TemporaryFolder() }

  /// Installs a tiny distribution with more packages; returns its root.
  private func install(
    _ maker: DebMaker, manual: Set<String> = [], addUsers: (FilePath) throws -> Void = { _ in },
    events: @escaping EventSink = { _ in }
  ) async throws -> Sandbox {
    let base = try folder.get() / "base"
    let root = try folder.get() / "root"
    for path in [base, root] {
      try FileManager.default.createDirectory(
        atPath: path.string, withIntermediateDirectories: true)
    }
    let debs = try LockedDebs(files: TinyDistribution(in: base).debs + maker.debs)
    let sandbox = Sandbox(root: root)
    try await installPackages(
      debs.packages, from: DebSupply(debs.store, jobs: 2), in: sandbox,
      options: InstallOptions(manual: manual, epoch: 1_700_000_000, jobs: 2), events: events
    ) { try addUsers(root) }
    return sandbox
  }

  private func expectClean(_ sandbox: Sandbox) throws {
    let findings = try packageFindings(in: sandbox)
    #expect(findings.isEmpty, "\(findings)")
  }

  private func text(_ path: String, in sandbox: Sandbox) throws -> String {
    let bytes = try RootFolder(sandbox.root).contents(of: FilePath(path))
    return String(decoding: try #require(bytes, "'\(path)' is missing"), as: UTF8.self)
  }

  @Test("configures everything: scripts, configuration files, users first, triggers last")
  func everything() async throws {
    var maker = DebMaker()
    try maker.add(
      "greeter", control: "Multi-Arch: same",
      """
      mkdir -p etc; echo hi > etc/greeter.conf; echo /etc/greeter.conf > DEBIAN/conffiles
      echo 'interest-noawait /usr/share/greetings' > DEBIAN/triggers
      cat > DEBIAN/preinst <<'.'
      #!/bin/sh
      set -e
      echo "$1 $DPKG_MAINTSCRIPT_NAME $DPKG_MAINTSCRIPT_PACKAGE $DPKG_MAINTSCRIPT_ARCH" > /preinst
      echo "$0 $PWD $DEBIAN_FRONTEND $SOURCE_DATE_EPOCH" >> /preinst
      grep ^locked /etc/passwd >> /preinst
      ls /var/lib/dpkg/tmp.ci >> /preinst
      .
      cat > DEBIAN/postinst <<'.'
      #!/bin/sh
      if [ "$1" = triggered ]; then echo "$2" >> /triggered; fi
      .
      """)
    try maker.add(
      "poem", "mkdir -p usr/share/greetings/a; echo oh > usr/share/greetings/a/poem")
    try maker.add(
      "service",
      """
      cat > DEBIAN/postinst <<'.'
      #!/bin/sh
      /usr/sbin/policy-rc.d service start; echo $? > /policy
      start-stop-daemon --start --exec /bin/touch -- /started
      .
      """)
    let seen = Mutex<[BuildEvent]>([])
    let sandbox = try await install(
      maker, manual: ["poem"],
      addUsers: { root in
        let passwd = root.appending("etc/passwd")
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: passwd.string))
        try file.seekToEnd()
        try file.write(contentsOf: Data("locked:x:444:444::/:/bin/sh\n".utf8))
        try file.close()
      }, events: { event in seen.withLock { $0.append(event) } })
    try expectClean(sandbox)
    #expect(
      try text("/preinst", in: sandbox) == """
        install preinst greeter amd64
        /var/lib/dpkg/tmp.ci/preinst / noninteractive 1700000000
        locked:x:444:444::/:/bin/sh
        conffiles
        control
        postinst
        preinst
        triggers

        """)
    #expect(try text("/etc/greeter.conf", in: sandbox) == "hi\n")
    #expect(try text("/triggered", in: sandbox) == "/usr/share/greetings\n")
    #expect(try text("/policy", in: sandbox) == "101\n")
    let root = try RootFolder(sandbox.root)
    for path in [
      "/started", "/usr/sbin/policy-rc.d", "/usr/sbin/start-stop-daemon.real",
      "/etc/greeter.conf.dpkg-new",
      "/var/lib/dpkg/preinsts", "/var/lib/dpkg/tmp.ci",
    ] {
      #expect(try root.status(of: FilePath(path)) == nil, "'\(path)' was left behind")
    }
    let starter = try root.status(of: "/usr/sbin/start-stop-daemon")
    #expect((starter?.size ?? 0) > 10_000)
    let automatic = try text("/var/lib/apt/extended_states", in: sandbox)
    #expect(automatic.contains("Package: greeter\nArchitecture: amd64\nAuto-Installed: 1\n"))
    #expect(!automatic.contains("poem"))
    #expect(!automatic.contains("base-files"))
    let events = seen.withLock { $0 }
    #expect(events.contains(.advanced(.configure, done: 12, subject: "service")))
    #expect(events.last == .ended(.configure))
  }

  @Test("lets dpkg unpack what diverts another package's file")
  func diversion() async throws {
    var maker = DebMaker()
    try maker.add(
      "diverter",
      """
      mkdir -p usr/bin; echo mine > usr/bin/hello
      cat > DEBIAN/preinst <<'.'
      #!/bin/sh
      dpkg-divert --package diverter --add --rename --divert /usr/bin/hello.distrib /usr/bin/hello
      .
      """)
    let notes = Mutex<[String]>([])
    let sandbox = try await install(
      maker,
      events: { event in
        if case .note(let text) = event { notes.withLock { $0.append(text) } }
      })
    #expect(notes.withLock { $0 } == ["unpacking through dpkg: diverter"])
    #expect(try text("/usr/bin/hello", in: sandbox) == "mine\n")
    #expect(try text("/usr/bin/hello.distrib", in: sandbox).hasPrefix("#!/bin/sh"))
    try expectClean(sandbox)
  }

  @Test("gives a shared file to the package that replaces the other")
  func replaced() async throws {
    var maker = DebMaker()
    try maker.add("old", "mkdir -p usr/share; echo old > usr/share/x; echo o > usr/share/o")
    try maker.add("young", control: "Replaces: old", "mkdir -p usr/share; echo young > usr/share/x")
    let sandbox = try await install(maker)
    #expect(try text("/usr/share/x", in: sandbox) == "young\n")
    #expect(!(try text("/var/lib/dpkg/info/old.list", in: sandbox).contains("/usr/share/x")))
    try expectClean(sandbox)
  }

  @Test("says which file two packages both have when neither replaces the other")
  func conflict() async throws {
    var maker = DebMaker()
    try maker.add("one", "mkdir -p usr/share; echo 1 > usr/share/x")
    try maker.add("two", "mkdir -p usr/share; echo 2 > usr/share/x")
    let failure = await #expect(throws: PackageFailure.self) { try await install(maker) }
    let text = failure?.description ?? ""
    #expect(text.hasPrefix("cannot unpack two: exit status 1:"), "\(text)")
    #expect(text.contains("trying to overwrite '/usr/share/x', which is also in package one"))
  }

  @Test("names the package whose preinst fails, with what it printed")
  func failingPreinst() async throws {
    var maker = DebMaker()
    try maker.add("broken", "printf '#!/bin/sh\\necho oh no\\nexit 3\\n' > DEBIAN/preinst")
    let failure = await #expect(throws: PackageFailure.self) { try await install(maker) }
    #expect(
      failure?.description == """
        the preinst script of package 'broken' failed: exit status 3:
          oh no
        """)
  }

  @Test("shows the end of what dpkg printed when a package cannot be configured")
  func failingPostinst() async throws {
    var maker = DebMaker()
    try maker.add("broken", "printf '#!/bin/sh\\necho oh no\\nexit 3\\n' > DEBIAN/postinst")
    let failure = await #expect(throws: PackageFailure.self) { try await install(maker) }
    let text = failure?.description ?? ""
    #expect(text.hasPrefix("cannot configure the packages: exit status 1:"), "\(text)")
    #expect(text.contains("oh no"))
    #expect(text.contains("broken"))
  }

  @Test("finds a file that was changed, and a package that is not configured")
  func findings() async throws {
    let sandbox = try await install(DebMaker())
    let root = try RootFolder(sandbox.root)
    try root.write(Array("changed".utf8), to: "/usr/bin/hello", mode: 0o755)
    let status = try text("/var/lib/dpkg/status", in: sandbox)
      .replacing(
        "Package: hello\nStatus: install ok installed",
        with: "Package: hello\nStatus: install ok unpacked")
    try root.write(Array(status.utf8), to: "/var/lib/dpkg/status")
    let findings = try packageFindings(in: sandbox)
    #expect(findings.contains { $0.hasPrefix("dpkg --audit:") && $0.contains("hello") })
    #expect(findings.contains("dpkg --verify: ??5??????   /usr/bin/hello"))
  }

  @Test("refuses a package whose script changes a file of another")
  func changedFile() async throws {
    var maker = DebMaker()
    try maker.add("poem", "mkdir -p usr/share; echo oh > usr/share/poem")
    try maker.add("vandal", "printf '#!/bin/sh\\necho ah > /usr/share/poem\\n' > DEBIAN/postinst")
    let failure = await #expect(throws: PackageFailure.self) { try await install(maker) }
    #expect(
      failure?.description == """
        configuring the packages changed files of theirs:
          dpkg --verify: ??5??????   /usr/share/poem
        """)
  }

  @Test("does the work of programs that every package calls once, at the end")
  func deferredWork() async throws {
    var maker = DebMaker()
    try maker.add(
      "fontconfig",
      """
      mkdir -p usr/bin; printf '#!/bin/sh\\necho "$*" >> /fc-cache.calls\\n' > usr/bin/fc-cache
      chmod 755 usr/bin/fc-cache
      """)
    for name in ["font-a", "font-b"] {
      try maker.add(
        name, control: "Depends: fontconfig",
        """
        printf '#!/bin/sh\\nfc-cache -s -f -v\\n[ ! -e /fc-cache.calls ]\\n' > DEBIAN/postinst
        """)
    }
    let sandbox = try await install(maker)
    #expect(try text("/fc-cache.calls", in: sandbox) == "-s -f\n")
    #expect(try text("/usr/bin/fc-cache", in: sandbox).contains("fc-cache.calls"))
    #expect(try RootFolder(sandbox.root).status(of: FilePath(StandIns.folder)) == nil)
    try expectClean(sandbox)
  }

  @Test("says what of the work at the end failed")
  func failingDeferredWork() async throws {
    var maker = DebMaker()
    try maker.add(
      "fontconfig",
      """
      mkdir -p usr/bin; printf '#!/bin/sh\\necho no fonts; exit 1\\n' > usr/bin/fc-cache
      chmod 755 usr/bin/fc-cache; printf '#!/bin/sh\\nfc-cache -s\\n' > DEBIAN/postinst
      """)
    let failure = await #expect(throws: PackageFailure.self) { try await install(maker) }
    #expect(
      failure?.description == """
        cannot finish the packages: exit status 1:
          no fonts
          failed: fc-cache
        """)
  }
}
