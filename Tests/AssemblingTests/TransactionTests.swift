import Content
import Foundation
import Isolation
import Model
import Support
import SystemPackage
import Testing

@testable import Assembling

@Suite(
  "Packages on top of packages", .enabled(if: isRoot && hasTool("dpkg-deb"), "needs root and dpkg"))
struct TransactionTests {
  let folder = Result { try TemporaryFolder() }

  /// Installs a tiny distribution with `first`, then `second` on top.
  private func install(_ first: DebMaker, _ second: DebMaker) async throws -> Sandbox {
    let base = try folder.get() / "base"
    let root = try folder.get() / "root"
    for path in [base, root] {
      try FileManager.default.createDirectory(
        atPath: path.string, withIntermediateDirectories: true)
    }
    let sandbox = Sandbox(root: root)
    for debs in [try TinyDistribution(in: base).debs + first.debs, second.debs] {
      let locked = try LockedDebs(files: debs)
      try await installPackages(
        locked.packages, from: DebSupply(locked.store, jobs: 2), in: sandbox,
        options: InstallOptions(manual: nil, epoch: 1_700_000_000, jobs: 2), events: { _ in },
        addUsers: {})
    }
    return sandbox
  }

  private func text(_ path: String, in sandbox: Sandbox) throws -> String {
    let bytes = try RootFolder(sandbox.root).contents(of: FilePath(path))
    return String(decoding: try #require(bytes, "'\(path)' is missing"), as: UTF8.self)
  }

  @Test("are configured, trigger what listens, and leave the folders that are there as they are")
  func onTop() async throws {
    var first = DebMaker()
    try first.add(
      "greeter",
      """
      mkdir -p -m 700 usr/share/greetings; mkdir -p usr/share/real; ln -s real usr/share/alias
      printf 'interest-noawait /usr/share/greetings\\ninterest-noawait ring\\n' > DEBIAN/triggers
      cat > DEBIAN/postinst <<'.'
      #!/bin/sh
      if [ "$1" = triggered ]; then echo "$2" >> /triggered; fi
      .
      """)
    var second = DebMaker()
    try second.add(
      "poem", control: "Depends: greeter",
      """
      mkdir -p usr/share/greetings usr/share/alias usr/share/new; echo oh > usr/share/greetings/poem
      echo in > usr/share/alias/file; chmod 750 usr/share/new
      printf 'interest-noawait ring\\nactivate-noawait ring\\n' > DEBIAN/triggers
      echo a > usr/share/new/conf; echo /usr/share/new/conf > DEBIAN/conffiles
      """)
    let sandbox = try await install(first, second)
    let findings = try packageFindings(in: sandbox)
    #expect(findings.isEmpty, "\(findings)")
    let root = try RootFolder(sandbox.root)
    #expect(
      try text("/triggered", in: sandbox).split(separator: "\n").sorted() == [
        "/usr/share/greetings", "ring",
      ])
    #expect(try root.status(of: "/usr/share/greetings")?.mode == 0o700)
    #expect(try root.status(of: "/usr/share/new")?.mode == 0o750)
    #expect(try text("/usr/share/real/file", in: sandbox) == "in\n")
    #expect(try text("/usr/share/new/conf", in: sandbox) == "a\n")
    #expect(try text("/var/lib/dpkg/triggers/ring", in: sandbox).split(separator: "\n").count == 2)
    #expect(try root.status(of: "/usr/sbin/policy-rc.d") == nil)
  }

  @Test("take files over where they may, and keep away from what is diverted")
  func takeOver() async throws {
    var first = DebMaker()
    try first.add("old", "mkdir -p usr/share; echo old > usr/share/x; echo o > usr/share/o")
    try first.add(
      "diverter",
      """
      cat > DEBIAN/preinst <<'.'
      #!/bin/sh
      dpkg-divert --package diverter --add --no-rename --divert /usr/share/y.away /usr/share/y
      .
      """)
    var second = DebMaker()
    try second.add(
      "young", control: "Replaces: old", "mkdir -p usr/share; ln -s young usr/share/x")
    try second.add("other", "mkdir -p usr/share; echo other > usr/share/y")
    try second.add("free", "mkdir -p usr/share/free; echo free > usr/share/free/file")
    let sandbox = try await install(first, second)
    let root = try RootFolder(sandbox.root)
    #expect(try root.target(ofLink: "/usr/share/x") == "young")
    #expect(try text("/usr/share/o", in: sandbox) == "o\n")
    #expect(try root.status(of: "/usr/share/y") == nil)
    #expect(try text("/usr/share/y.away", in: sandbox) == "other\n")
    #expect(try text("/usr/share/free/file", in: sandbox) == "free\n")
    let findings = try packageFindings(in: sandbox)
    #expect(findings.isEmpty, "\(findings)")
  }

  @Test("do not overwrite a file of another package")
  func conflict() async throws {
    var first = DebMaker()
    try first.add("one", "mkdir -p usr/share; echo 1 > usr/share/x")
    var second = DebMaker()
    try second.add("two", "mkdir -p usr/share; echo 2 > usr/share/x")
    let failure = await #expect(throws: PackageFailure.self) { try await install(first, second) }
    #expect(
      failure?.description.contains(
        "trying to overwrite '/usr/share/x', which is also in package one")
        == true, "\(String(describing: failure))")
  }
}
