import Foundation
import Support
import Synchronization
import SystemPackage
import Testing

@testable import Isolation

@Suite("A sandbox", .enabled(if: isRoot && hasMergedUsr, "needs root and a merged /usr"))
struct SandboxTests {
  private let root: ProbeRoot

  init() throws { root = try ProbeRoot() }

  @Test func hasACleanEnvironment() throws {
    setenv("HOST_SECRET", "1", 1)
    #expect(
      try root.sh("env -u PWD -u OLDPWD -u _ | sort") { $0.environment["ADDED"] = "yes" }.text
        == """
        ADDED=yes
        HOME=/root
        LC_ALL=C.UTF-8
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

        """)
  }

  @Test func showsOnlyTheRootAndWhatIsNamed() throws {
    let names = try root.sh("ls -A /").text.split(separator: "\n")
    #expect(
      names == [
        "bin", "dev", "lib", "lib32", "lib64", "proc", "run", "sbin", "sys", "tmp", "usr",
      ])
    #expect(try root.sh("ls -A /tmp /sys").text == "/sys:\n\n/tmp:\n")
  }

  @Test func hasItsOwnNameProcessesAndNetwork() throws {
    #expect(try root.sh("uname -n").text == "localhost\n")
    // The first process and the shell, which does all of this itself.
    #expect(try root.sh("echo $$ /proc/[0-9]*").text == "2 /proc/1 /proc/2\n")
    #expect(
      try root.sh("grep -c : /proc/net/dev; cat /proc/net/route").text == "1\n")
  }

  @Test func showsTheHostsNetworkOnlyWhenAsked() throws {
    let result = try root.sh("readlink /proc/self/ns/net; cat /etc/resolv.conf") {
      $0.hasNetwork = true
    }
    let ours = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/net")
    #expect(result.text == ours + "\n" + (text(of: "/etc/resolv.conf") ?? ""))
    #expect(!FileManager.default.fileExists(atPath: (root.folder / "etc").string))
  }

  @Test(
    "refuses what would change the machine",
    arguments: [
      "mknod /tmp/disk b 8 0", "mknod /tmp/null c 1 3", "mount -t tmpfs none /tmp",
      "echo x > /proc/sys/kernel/core_pattern", "echo b > /proc/sysrq-trigger", "hostname other",
      "unshare -U true", "unshare -n true", "nsenter -t 1 -m true", "dmesg", "date -s 12:00",
      "mount -o remount,rw /sys", "touch /usr/file", "touch /sys/file", "touch /dev/file",
      "chroot / mount -t proc none /tmp",
    ])
  func refuses(line: String) throws {
    let result = try root.sh("\(line) && echo done")
    #expect(!result.isSuccess, "\(result.text)")
    #expect(!result.text.contains("done"))
  }

  @Test func keepsWhatPackagesNeed() throws {
    let result = try root.sh(
      """
      mkfifo /tmp/fifo && touch /tmp/a && chown 12:34 /tmp/a && chmod 6755 /tmp/a && sync &&
      chroot / true && umask && stat -c '%u:%g %a' /tmp/a && : > /dev/null && ls /dev/fd/0
      """)
    #expect(result.text == "0022\n12:34 6755\n/dev/fd/0\n")
  }

  @Test func leavesNothingBehind() throws {
    #expect(try root.sh("touch /tmp/a /run/b; mkdir /dev/shm/c; touch /kept").isSuccess)
    let names = try FileManager.default.contentsOfDirectory(atPath: root.folder.path.string)
    #expect(names.sorted() == ["bin", "kept", "lib", "lib32", "lib64", "sbin"])
  }

  @Test func tellsHowACommandEnded() throws {
    #expect(try root.sh("exit 7").ending == .exited(7))
    #expect(try root.sh("kill -TERM $$").ending == .signalled(15))
    let failure = #expect(throws: IsolationFailure.self) {
      try root.sandbox.run(SandboxCommand(["no-such-program"]))
    }
    #expect(failure?.description == "cannot execute 'no-such-program': No such file or directory")
  }

  @Test func killsWhatTakesTooLong() throws {
    let result = try root.sh("echo begun; sleep 1000 & sleep 1000") {
      $0.timeLimit = .milliseconds(300)
    }
    #expect(result.ending == .timedOut(.milliseconds(300)))
    #expect(result.text == "begun\n")
  }

  @Test func stopsWhenItsTaskIsCancelled() async throws {
    let root = root
    let task = Task { try root.sh("sleep 1000") }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test func buriesProcessesThatStayBehind() throws {
    #expect(try root.sh("sleep 1000 & setsid sleep 1000 & exit 3").ending == .exited(3))
  }

  @Test func givesInputAndKeepsTheEndOfLargeOutput() throws {
    #expect(
      try root.sh("tr a-z A-Z") { $0.input = Array("some input".utf8) }.text == "SOME INPUT")
    let large = try root.sh("seq 1 300000; echo last") { $0.captureLimit = 100 }
    #expect(large.isTruncated)
    #expect(large.output.count == 100)
    #expect(large.text.hasSuffix("\n300000\nlast\n"))
  }

  @Test func handsOutLinesOfBothStreams() throws {
    let lines = Mutex<[String]>([])
    let command = SandboxCommand(["sh", "-c", "echo one; echo two >&2; printf three"])
    let result = try root.sandbox.run(command) { line in lines.withLock { $0.append(line) } }
    #expect(lines.withLock { $0 } == ["one", "two", "three"])
    #expect(result.text == "one\ntwo\nthree")
    #expect(result.errors == [])
    let apart = try root.sh("echo one; echo two >&2") { $0.keepsErrorsApart = true }
    #expect(apart.text == "one\n")
    #expect(apart.errors == Array("two\n".utf8))
  }

  @Test func runsAsAnotherUserWithoutCapabilities() throws {
    let result = try root.sh("id; grep CapEff /proc/self/status; pwd; echo $HOME") {
      $0.user = SandboxUser(uid: 1000, gid: 1000, groups: [1000, 44], home: "/home/agent")
      $0.folder = "/tmp"
    }
    #expect(
      result.text.replacing(/\([^)]*\)/, with: "") == """
        uid=1000 gid=1000 groups=1000,44
        CapEff:	0000000000000000
        /tmp
        /home/agent

        """)
  }

  @Test func bindsWhatIsNamed() throws {
    let outside = try TemporaryFolder()
    try outside.write("file", "content")
    var sandbox = root.sandbox
    sandbox.binds += [
      .init(outside.path, at: "/srv/data"), .init(outside / "file", at: "/srv/file"),
      .init(outside.path, at: "/srv/open", isReadOnly: false),
    ]
    let line = "cat /srv/data/file /srv/file; touch /srv/data/no; touch /srv/open/yes"
    let result = try sandbox.run(SandboxCommand(["sh", "-c", line]))
    #expect(result.text.hasPrefix("contentcontent"))
    #expect(result.text.contains("touch: cannot touch '/srv/data/no': Read-only file system"))
    #expect(FileManager.default.fileExists(atPath: (outside / "yes").string))
    #expect(!FileManager.default.fileExists(atPath: (root.folder / "srv").string))
  }

  @Test func linksInTheRootCannotMoveItsMounts() throws {
    let outside = try TemporaryFolder()
    try FileManager.default.createSymbolicLink(
      atPath: (root.folder / "run").string, withDestinationPath: outside.path.string)
    #expect(throws: RootFailure.self) { try root.sh("touch /run/file") }
    #expect(try FileManager.default.contentsOfDirectory(atPath: outside.path.string) == [])
  }

  @Test func refusesTextsThatCannotBePassed() throws {
    let failure = #expect(throws: IsolationFailure.self) {
      try root.sandbox.run(SandboxCommand(["echo", "a\0b"]))
    }
    #expect(failure?.description == "cannot pass 'a\0b' to a program: it holds a NUL")
  }
}
