import Foundation
import Model
import Support
import SystemPackage
import Testing

@testable import Verifying

@Suite(
  "A boot", .serialized,
  .enabled(
    if: isLong && SmallSystem.isPossible, "needs QEMU, gcc, apt-get and BUILD_SNAPSHOT_LONG_TESTS=1"
  ))
struct BootTests {
  let system: SmallSystem

  init() throws { system = try SmallSystem.shared.get() }

  /// Takes the address that QEMU forwards to.
  static let serve = "/bin/sh -c '/run/golden/busybox ifconfig eth0 10.0.2.15 up; exec serve"

  /// A service of the image, enabled.
  func service(_ name: String, _ command: String, type: String = "simple") -> [String: String] {
    let text =
      "[Service]\nType=\(type)\nExecStart=\(command)\n"
    let folder = "etc/systemd/system"
    return [
      "\(folder)/\(name).service": text,
      "\(folder)/multi-user.target.d/\(name).conf": "[Unit]\nWants=\(name).service\n",
    ]
  }

  func test(
    _ name: String, _ command: [String], pty: Bool = false, expect: String? = nil, exit: Int? = 0,
    input: String = "", timeout: Int = 20
  ) -> Recipe.Test {
    Recipe.Test(
      name: name, command: command, stage: .boot, hasTerminal: pty,
      expectations: expect.map { [.text($0)] } ?? [], exit: exit, timeout: timeout, input: input,
      position: SourcePosition(file: "r.toml", line: 1, column: 1))
  }

  @Test(
    "of a sound image passes: health, display, tests with and without a terminal, clones, growth")
  func sound() async throws {
    let files = service("serve", Self.serve + " drawing'").merging([
      "usr/lib/golden/verify.d/own": "#!/bin/sh\necho fine\n"
    ]) { $1 }
    let machine = try system.check(
      files,
      tests: [
        test(
          "terminal", ["sh", "-c", "test -t 1 && read line && echo got $line"], pty: true,
          expect: "got it", input: "it\n"),
        test("pipe", ["sh", "-c", "test -t 1 || cat && exit 3"], exit: 127, input: "it\n"),
      ]
    ) { boot in
      boot.health = ["http://:8080/health"]
      boot.display = 5900
      boot.clones = true
    }
    let verdict = try await machine.verdict()
    #expect(
      Set(verdict.keys) == [
        "boot", "failed-units", "root-writable", "health", "display", "test: terminal",
        "test: pipe",
        "verify.d: own", "growth", "poweroff", "clones",
      ])
    #expect(verdict.values.flatMap { $0 } == [])
    let picture = try machine.folder.contents("evidence/screen.png")
    #expect(picture.starts(with: [0x89, 0x50, 0x4E, 0x47]) && picture.count > 64 * 48)
    let console = String(
      decoding: try machine.folder.contents("evidence/console.log"), as: UTF8.self)
    #expect(console.contains(#"GOLDEN-READY {"v":1,"image_id":"test","build_id":"1","uptime":"#))
    #expect(console.contains(#""state":"running","failed":[],"root_rw":true}"#))
  }

  @Test(
    "finds each fault of an image that comes up: services, health, screen, processor, clones, growth"
  )
  func faults() async throws {
    var files = service("serve", Self.serve + "'")
    files.merge(service("crash", "/bin/sh -c 'echo out of luck; exit 7'", type: "oneshot")) { $1 }
    files.merge(
      service(
        "fill", "/run/golden/busybox dd if=/dev/urandom of=/var/big bs=1M count=12", type: "oneshot"
      )
    ) { $1 }
    files["etc/ssh/ssh_host_ed25519_key.pub"] = "ssh-ed25519 AAAA\n"
    files["usr/lib/golden/verify.d/own"] = "#!/bin/sh\necho not fine\nexit 4\n"
    let verdict = try await system.check(
      files,
      tests: [
        test("vectors", ["vectors"], expect: "it is 42"),
        test("vectors alone", ["vectors"]),
        test("slow", ["sleep", "1000"], timeout: 1),
      ]
    ) { boot in
      boot.health = ["http://:9999/none"]
      boot.display = 5900
      boot.clones = true
    }.verdict()
    #expect(verdict["boot"] == [])
    let crash = try #require(verdict["failed-units"])
    try #require(crash.count == 1)
    #expect(crash[0].hasPrefix("error: failed-units: crash.service: failed while the image booted"))
    #expect(crash[0].contains("status=7"))
    #expect(verdict["health"] == ["error: health: http://:9999/none: did not answer"])
    let screen = try #require(verdict["display"]?.first)
    #expect(screen.hasPrefix("error: display: port 5900: the display of 64×48 is blank; look at '"))
    #expect(
      verdict["test: vectors"] == [
        "error: test: vectors: 'vectors': did not print 'it is 42' without a terminal; killed by signal 4, "
          + "and it printed: nothing"
      ])
    #expect(
      verdict["test: vectors alone"] == [
        "error: test: vectors alone: 'vectors': killed by signal 4, not exit status 0; it printed: "
          + "nothing; it uses instructions that the smallest processor of the fleet does not have"
      ])
    #expect(
      verdict["test: slow"] == [
        "error: test: slow: 'sleep 1000': did not end in time, not exit status 0; it printed: nothing"
      ])
    #expect(
      verdict["verify.d: own"] == [
        "error: verify.d: own: /usr/lib/golden/verify.d/own: exit status 4; it printed: 'not fine'"
      ])
    let growth = try #require(verdict["growth"]?.first)
    #expect(
      growth.contains(" MiB to the machine's disk, more than 8.0 MiB; see which services write"))
    #expect(
      verdict["clones"] == [
        "error: clones: host-keys: two clones of the image have the same one; it is made before the image "
          + "is, or not at all"
      ])
  }

  @Test("says why an image does not come up, with the console's last lines", arguments: endings)
  func ends(name: String, files: [String: String], commandLine: String?, cause: String) async throws
  {
    let verdict = try await system.check(files, timeout: name == "hang" ? 20 : 60) { boot in
      boot.commandLine = commandLine ?? boot.commandLine
    }.verdict()
    #expect(verdict.count == 1)
    let finding = try #require(verdict["boot"]?.first)
    #expect(finding.hasPrefix("error: boot: the image does not boot: \(cause)"), "\(finding)")
    #expect(finding.contains(". The console's last lines:\n    "))
    #expect(finding.contains("; all of it is in '"))
  }

  @Test("says so when QEMU is killed, and ends with the task that wants it")
  func killed() async throws {
    let machine = try system.check()
    let run = Task { try await machine.verdict() }
    kill(try await emulator(of: machine), SIGKILL)
    let finding = try #require(try await run.value["boot"]?.first)
    #expect(
      finding.hasPrefix("error: boot: the image does not boot: the machine ended by itself"),
      "\(finding)")

    let other = try system.check()
    let cancelled = Task { try await other.verdict() }
    let id = try await emulator(of: other)
    cancelled.cancel()
    await #expect(throws: CancellationError.self) { try await cancelled.value }
    #expect(kill(id, 0) != 0)
  }

  /// The process of a machine that has begun to boot.
  func emulator(of machine: SmallSystem.Machine) async throws -> Int32 {
    let console = (machine.folder / "scratch/machine-0/console.log").string
    let end = ContinuousClock.now + .seconds(60)
    while .now < end {
      try await Task.sleep(for: .milliseconds(100))
      guard (FileManager.default.contents(atPath: console) ?? Data()).count > 0 else { continue }
      for name in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
        guard let id = Int32(name),
          let words = FileManager.default.contents(atPath: "/proc/\(id)/cmdline"),
          String(decoding: words, as: UTF8.self).contains("path=\(console)")
        else { continue }
        return id
      }
    }
    throw SmallSystem.Unmade(reason: "no machine began to boot")
  }
}

private let endings:
  [(name: String, files: [String: String], commandLine: String?, cause: String)] =
    [
      ("panic", ["usr/sbin/init": "#!/bin/sh\nexit 1\n"], nil, "the kernel panicked"),
      (
        "hang", ["usr/sbin/init": "#!/bin/sh\nexec sleep 1000\n"], nil,
        "it hangs: it was not ready after 2"
      ),
      ("no init", ["usr/sbin/init": ""], nil, "the image has no /sbin/init"),
      (
        "no root device", [:], "console=ttyS0 root=/dev/vdb rw panic=1",
        "there is no root device: the kernel or the command line names another"
      ),
    ]

@Suite("The answer of KVM")
struct AccelerationTests {
  @Test("is remembered for the same kernel, QEMU and boot only")
  func memory() {
    let text = Array("key of three parts\nkvm\nKVM runs the kernel\n".utf8)
    #expect(remembered(text, "key of three parts")?.acceleration == .kvm)
    #expect(remembered(text, "key of three parts")?.remark == "KVM runs the kernel")
    #expect(remembered(text, "another key") == nil)
    #expect(remembered(Array(text.dropLast(25)), "key of three parts") == nil)
  }
}

@Suite(
  "The machine of a boot",
  .enabled(if: hasTool("qemu-img") && hasTool(Emulator.program), "needs QEMU"))
struct MachineRunTests {
  @Test("has ports of which no two are the same")
  func ports() throws { #expect(Set(try freePorts(500)).count == 500) }

  @Test("says when another program was faster to take its port, and of nothing else that")
  func takenPort() throws {
    let folder = try TemporaryFolder()
    try folder.write("disk", String(repeating: "-", count: 4096))
    let taken = try LoopbackServer()
    let free = try freePorts(1)[0]
    for (port, isTaken) in [(UInt16(taken.port), true), (free, false)] {
      let boot = Recipe.Boot(position: SourcePosition(file: "r.toml", line: 1, column: 1))
      // QEMU looks at the ports first, and then does not find the kernel.
      let emulator = Emulator(
        boot: boot, kernel: folder.path.appending("none"),
        initrd: folder.path.appending("none"), acceleration: .emulated, folder: folder.path,
        ports: [(port, 8080)], token: "t")
      try emulator.makeOverlay(on: folder.path.appending("disk"))
      let outcome = try MachineRun(
        emulator, tests: [], isFirst: true, limit: .seconds(60), shouldStop: { false }
      ).run()
      #expect(outcome.lacksPort == isTaken)
      #expect(outcome.cause?.hasPrefix("the machine ended by itself") == true)
    }
  }
}
