import Foundation
import Model
import Support
import SystemPackage
import Testing

@testable import Assembling

@Suite("Normalising", .enabled(if: isRoot, "needs root"))
struct NormaliseTests {
  private let epoch = 1_700_000_000

  @Test func takesAwayWhatBelongsToTheBuild() throws {
    let root = try TestRoot()
    let leftovers: [FilePath] = [
      "/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_rsa_key.pub", "/var/lib/dbus/machine-id",
      "/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret", "/var/log/dpkg.log",
      "/var/log/apt/term.log", "/var/cache/ldconfig/aux-cache", "/etc/passwd-", "/etc/.pwd.lock",
      "/var/lib/dpkg/status-old", "/var/lib/dpkg/lock", "/var/cache/debconf/config.dat-old",
      "/var/lib/ucf/hashfile.0", "/var/lib/apt/lists/deb_InRelease", "/var/cache/apt/pkgcache.bin",
      "/tmp/file", "/tmp/.X1-lock", "/var/tmp/file", "/run/lock/file", "/var/backups/dpkg.status.0",
      "/var/lib/sgml-base/supercatalog.old",
    ]
    let kept: [FilePath] = [
      "/etc/ssh/sshd_config", "/etc/passwd", "/var/lib/dpkg/status",
      "/var/cache/debconf/config.dat",
      "/var/lib/ucf/hashfile", "/usr/lib/python3/__pycache__/a.pyc", "/var/cache/fontconfig/a-le64",
    ]
    for path in leftovers + kept { try root.write(path, "x") }
    try root.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    let report = try normalise(root.path, epoch: epoch, events: { _ in })
    for path in leftovers { #expect(try root.folder.status(of: path) == nil, "\(path)") }
    for path in kept { #expect(try root.text(path) == "x", "\(path)") }
    #expect(try root.text("/etc/machine-id") == "")
    for folder in ["/var/log/apt", "/var/lib/apt/lists", "/tmp", "/run", "/var/tmp"] {
      #expect(try root.folder.status(of: FilePath(folder))?.kind == .folder, "\(folder)")
    }
    let removed = report.removals.map(\.path)
    #expect(Set(removed).isSuperset(of: leftovers.filter { $0 != "/run/lock/file" }))
    #expect(removed.contains("/run/lock"))
    #expect(report.removals.allSatisfy { !$0.reason.isEmpty })
  }

  @Test func clampsEveryTimeAndNoOther() throws {
    let root = try TestRoot()
    try root.write("/usr/new", "")
    try root.write("/usr/old", "")
    try root.folder.makeLink("/usr/link", to: "nowhere")
    try root.folder.setTime(of: "/usr/old", 5)
    let report = try normalise(root.path, epoch: epoch, events: { _ in })
    #expect(try root.folder.status(of: "/usr/old")?.seconds == 5)
    for path in ["/usr/new", "/usr/link", "/usr", ""] {
      let status = try root.folder.status(of: FilePath(path))
      #expect(status?.seconds == epoch)
      #expect(status?.nanoseconds == 0)
    }
    #expect(report.clamped == 4)
    #expect(try normalise(root.path, epoch: epoch, events: { _ in }) == NormaliseReport())
  }

  @Test func setsTheDayOfPasswords() throws {
    let root = try TestRoot()
    try root.write("/etc/shadow", "root:*:20000:0:99999:7:::\na:!:0:::::: \nb:!:::::::\n")
    _ = try normalise(root.path, epoch: epoch, events: { _ in })
    #expect(
      try root.text("/etc/shadow") == "root:*:19675:0:99999:7:::\na:!:0:::::: \nb:!:::::::\n")
  }

  @Test func sparesSystemdAnUpdateAtFirstBoot() throws {
    let root = try TestRoot()
    try root.write("/usr/lib/systemd/systemd", "")
    try root.folder.makeFolders("/var")
    try root.folder.makeFolders("/etc")
    _ = try normalise(root.path, epoch: epoch, events: { _ in })
    let usr = try #require(try root.folder.status(of: "/usr"))
    for path in ["/etc/.updated", "/var/.updated"] {
      let stamp = try #require(try root.folder.status(of: FilePath(path)))
      #expect(stamp.seconds >= usr.seconds)
      #expect(
        try root.text(FilePath(path))?.hasSuffix("TIMESTAMP_NSEC=1700000000000000000\n") == true)
    }
  }

  @Test func doesNotFollowLinksOutOfTheTree() throws {
    let outside = try TemporaryFolder()
    try outside.write("file", "x")
    let root = try TestRoot()
    for name in ["/tmp", "/run", "/var/log"] {
      try root.folder.makeFolders(FilePath(name).removingLastComponent())
      try root.folder.makeLink(FilePath(name), to: outside.path)
    }
    _ = try normalise(root.path, epoch: epoch, events: { _ in })
    #expect(try FileManager.default.contentsOfDirectory(atPath: outside.path.string) == ["file"])
  }
}
