import Content
import Foundation
import Isolation
import Model
import Support
import SystemPackage
import Testing

@testable import Assembling

@Suite("Unpacking debs", .enabled(if: isRoot && hasTool("dpkg-deb"), "needs root and dpkg"))
struct UnpackTests {
  let folder = Result { try TemporaryFolder() }

  /// Unpacks debs by ourselves, on several threads.
  private func unpack(
    _ maker: DebMaker, jobs: Int = 4
  ) async throws -> (root: FilePath, plan: UnpackPlan) {
    let path = try folder.get() / "ours\(jobs)"
    try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: true)
    let debs = try LockedDebs(files: maker.debs)
    let plan = try await unpackPackages(
      debs.packages, from: DebSupply(debs.store, jobs: 2), into: RootFolder(path), on: .empty,
      options: InstallOptions(manual: [], epoch: 0, jobs: jobs), events: { _ in })
    return (path, plan)
  }

  /// Unpacks debs with real dpkg into a root with the links of a merged system.
  private func unpackWithDpkg(_ debs: [FilePath]) throws -> FilePath {
    let path = try folder.get() / "theirs"
    let script = """
      set -eu; umask 022; mkdir -p "$1/var/lib/dpkg"; cd "$1"; shift
      for name in bin sbin lib lib32 lib64 libx32; do mkdir -p usr/$name; ln -s usr/$name $name; done
      cd var/lib/dpkg; mkdir alternatives info parts updates triggers
      : > status; : > available
      dpkg --root="$OLDPWD" --log=/dev/null --force-depends --force-script-chrootless \\
        --no-triggers --unpack "$@"
      """
    _ = try runTool("sh", ["-c", script, "sh", path.string] + debs.map(\.string)).succeeded()
    return path
  }

  private let dpkgLeftovers = [
    "var/lib/apt", "var/lib/dpkg/lock", "var/lib/dpkg/lock-frontend", "var/lib/dpkg/status-old",
    "var/lib/dpkg/triggers/Lock",
  ]

  /// Expects both trees to be the same, and dpkg's database in them; only clocks may differ.
  private func expectSame(_ ours: FilePath, _ theirs: FilePath) throws {
    let withoutTimes = { (line: String) in
      line.hasPrefix("./var/lib/dpkg/") || line.contains(#/ l .* -> usr/\w+$/#)
        ? line.replacing(#/ \d+\.\d{10}/#, with: "") : line
    }
    let left = try listing(of: ours, without: dpkgLeftovers).map(withoutTimes)
    let right = try listing(of: theirs, without: dpkgLeftovers).map(withoutTimes)
    let difference = Set(left).symmetricDifference(right).sorted()
    #expect(difference.isEmpty, "\(difference.joined(separator: "\n"))")
  }

  @Test("gives the tree and the database that dpkg gives")
  func equalsDpkg() async throws {
    var maker = DebMaker()
    try maker.add(
      "base-files", control: "Essential: yes\nPriority: required\nSection: admin",
      """
      mkdir -p etc var/local var/lib/dpkg run tmp usr/bin; echo 12 > etc/debian_version
      chmod 2775 var/local; chown 0:50 var/local; chmod 1777 tmp; ln -s ../run var/run
      echo /etc/debian_version > DEBIAN/conffiles
      """)
    try maker.add(
      "library", control: "Multi-Arch: same\nDepends: base-files\nHomepage: https://example.org",
      """
      mkdir -p lib/x86_64-linux-gnu usr/share/doc/library; echo elf > lib/x86_64-linux-gnu/l.so.1.2
      ln -s l.so.1.2 lib/x86_64-linux-gnu/l.so.1; echo c > usr/share/doc/library/copyright
      chmod 700 usr/share/doc/library
      printf 'activate-noawait ldconfig\\ninterest-noawait /usr/share/fonts\\n' > DEBIAN/triggers
      """)
    try maker.add(
      "tools", version: "1:2.0-1", control: "Source: toolkit (2.0)\nRecommends: library\nTag: a::b",
      """
      mkdir -p bin usr/bin etc/tools.d 'usr/share/a b' var/run/tools; echo x > bin/tool; chmod 4755 bin/tool
      ln bin/tool usr/bin/tool-twin; chgrp 42 usr/bin/tool-twin; chmod 2755 usr/bin/tool-twin
      echo 1 > etc/tools.conf; echo 2 > etc/tools.d/more; chmod 600 etc/tools.d/more
      echo y > 'usr/share/a b/é'; mkfifo usr/share/pipe; chown 1:2 usr/share/pipe
      printf '/etc/tools.conf\\n/etc/tools.d/more\\n' > DEBIAN/conffiles
      printf 'interest /usr/share/xml\\ninterest update-tools\\n' > DEBIAN/triggers
      printf '#!/bin/sh\\nexit 0\\n' > DEBIAN/postinst
      mkdir -p usr/share/doc/library; echo z > usr/share/doc/library/more
      """)
    let (ours, plan) = try await unpack(maker)
    #expect(plan.throughDpkg.isEmpty)
    #expect(plan.debs.map(\.package.name) == ["base-files", "library", "tools"])
    try expectSame(ours, try unpackWithDpkg(maker.debs))
  }

  @Test("leaves a file that two packages have to dpkg, also one that no list names")
  func collisions() async throws {
    var maker = DebMaker()
    try maker.add("base-files", "mkdir etc")
    try maker.add("first", "mkdir -p usr/share; echo 1 > usr/share/same; ln -s x usr/share/link")
    try maker.add(
      "second", control: "Replaces: first", "mkdir -p usr/share; echo 2 > usr/share/same")
    try maker.add(
      "third", control: "Replaces: first",
      "mkdir -p usr/share; ln -s y usr/share/link; echo 3 > usr/share/third")
    let (ours, plan) = try await unpack(maker)
    #expect(plan.throughDpkg.map { plan.debs[$0].package.name }.sorted() == ["second", "third"])
    try expectSame(ours, try unpackWithDpkg(Array(maker.debs.prefix(2))))
  }

  @Test("leaves a package whose preinst diverts to dpkg, and one that only speaks of it not")
  func diversions() async throws {
    var maker = DebMaker()
    try maker.add("base-files", "mkdir etc")
    try maker.add(
      "diverter", "printf '#!/bin/sh\\n  dpkg-divert --add /etc/x\\n' > DEBIAN/preinst")
    try maker.add("speaker", "printf '#!/bin/sh\\n  # dpkg-divert\\n' > DEBIAN/preinst")
    let plan = try await unpack(maker).plan
    #expect(plan.throughDpkg.map { plan.debs[$0].package.name } == ["diverter"])
  }

  @Test("gives a folder the attributes of its first package, whichever is unpacked first")
  func folderAttributes() async throws {
    var maker = DebMaker()
    try maker.add("base-files", "mkdir etc")
    try maker.add("a", "mkdir -p srv/shared; chmod 2750 srv/shared; chown 3:4 srv/shared")
    // Larger, so that it is unpacked before.
    try maker.add("b", "mkdir -p srv/shared; head -c 3000000 /dev/urandom > srv/shared/big")
    let lines = try listing(of: try await unpack(maker).root)
    #expect(lines.contains("./srv/shared d 2750 3:4"))
  }

  @Test("gives the same tree on one thread and on many")
  func jobs() async throws {
    var maker = DebMaker()
    try maker.add("base-files", "mkdir etc")
    for number in 0..<12 {
      try maker.add(
        "p\(number)",
        """
        mkdir -p usr/share/all usr/lib/p\(number); chmod 7\(number % 8)5 usr/share/all
        head -c \(number * 5000) /dev/zero > usr/share/all/\(number); ln -s x usr/lib/p\(number)/l
        """)
    }
    let hidden = ["var/lib/dpkg", "var/lib/apt"]
    let withoutLinks = { (line: String) in !line.contains(#/ l .* -> usr/\w+$/#) }
    let one = try listing(of: try await unpack(maker, jobs: 1).root, without: hidden)
    let many = try listing(of: try await unpack(maker, jobs: 8).root, without: hidden)
    #expect(one.filter(withoutLinks) == many.filter(withoutLinks))
    #expect(one.contains("./usr/share/all d 705 0:0"))
  }

  @Test("says which deb is missing")
  func missingBlob() async throws {
    var maker = DebMaker()
    try maker.add("base-files", "mkdir etc")
    let debs = try LockedDebs(files: maker.debs)
    try debs.store.remove(debs.packages[0].deb.sha256)
    await #expect(throws: PackageFailure.missing(package: "base-files")) {
      try await unpackPackages(
        debs.packages, from: DebSupply(debs.store, jobs: 2),
        into: RootFolder(try folder.get().path), on: .empty,
        options: InstallOptions(manual: [], epoch: 0, jobs: 2), events: { _ in })
    }
  }

  @Test(
    "refuses an entry that leads out of the root or that dpkg would not make",
    arguments: [
      ("printf x > f; tar cPf data.tar --transform 's,^,../,' f", "it leads out of the root"),
      ("printf x > f; tar cPf data.tar --transform 's,^,a/../../,' f", "it leads out of the root"),
      (
        """
        python3 -c "import tarfile; i = tarfile.TarInfo('./null'); i.type = tarfile.CHRTYPE
        tarfile.open('data.tar', 'w').addfile(i)"
        """, "device nodes cannot be made"
      ),
      (
        "printf x > f; ln f g; tar cf data.tar ./f ./g; tar --delete -f data.tar ./f",
        "it links to '/f', which the package does not hold"
      ),
    ])
  func refused(commands: String, reason: String) async throws {
    var maker = DebMaker()
    try maker.add("evil", tar: commands)
    let failure = await #expect(throws: PackageFailure.self) { try await unpack(maker) }
    #expect(failure?.description.contains(reason) == true, "\(failure?.description ?? "nothing")")
  }

  @Test("keeps inside the root what goes through a link that leads out of it")
  func linksStayInside() async throws {
    let outside = try folder.get() / "outside"
    try FileManager.default.createDirectory(
      atPath: outside.string, withIntermediateDirectories: true)
    var maker = DebMaker()
    try maker.add(
      "evil",
      tar: """
        mkdir -p a b/evil; ln -s '\(outside)' a/evil; echo x > b/evil/file
        tar cf data.tar -C a ./evil; tar rf data.tar -C b ./evil/file
        """)
    await #expect(throws: RootFailure.self) { try await unpack(maker) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: outside.string).isEmpty)
  }

  @Test("finds a changed byte, names the package, and removes the blob")
  func damagedBlob() async throws {
    var maker = DebMaker()
    try maker.add("base-files", "mkdir etc; echo 12 > etc/debian_version")
    let debs = try LockedDebs(files: maker.debs)
    let hash = debs.packages[0].deb.sha256
    let path = debs.store.path(of: hash)
    _ = try runTool(
      "sh",
      [
        "-c", "chmod u+w \"$1\"; printf X | dd of=\"$1\" bs=1 seek=200 conv=notrunc", "sh",
        path.string,
      ]
    ).succeeded()
    let failure = await #expect(throws: PackageFailure.self) {
      try await unpackPackages(
        debs.packages, from: DebSupply(debs.store, jobs: 2),
        into: RootFolder(try folder.get().path), on: .empty,
        options: InstallOptions(manual: [], epoch: 0, jobs: 2), events: { _ in })
    }
    #expect(
      failure?.description.hasPrefix("the stored deb of package 'base-files' is damaged") == true)
    #expect(!debs.store.contains(hash))
  }
}
