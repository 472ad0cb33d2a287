import Model
import Resolving
import Support
import Testing

@Suite("Packages of a recipe", .enabled(if: canMakeRepositories, "needs gpg and dpkg-deb"))
struct PackageTests {
  @Test(
    "come with what they depend on, newest pocket first, in both layouts",
    arguments: [AptRepository.Layout.ubuntu, .debian])
  func dependencies(layout: AptRepository.Layout) async throws {
    let world = try World(layout: layout)
    try world.repository.add(AptPackage("tool", depends: "libtool (>= 1)"))
    try world.repository.add(AptPackage("libtool", "1", fields: ["Recommends": "more"]))
    try world.repository.add(AptPackage("libtool", "1.1+sec~1"), to: "security")
    try world.repository.add(AptPackage("more"))
    try world.repository.publish()
    let lock = try await world.lock(world.recipe("tool"))
    #expect(lock.summary == ["apt 1", "base-files 1", "libbase 1", "libtool 1.1+sec~1", "tool 1"])
    #expect(lock.packages.filter(\.isEssential).map(\.name) == ["base-files", "libbase"])
    #expect(lock.epoch == 1_767_225_600)
    #expect(lock.repositories.map(\.id) == ["jammy", "jammy-security", "jammy-updates"])
    let library = try #require(lock.packages.first { $0.name == "libtool" })
    #expect(library.repository == "jammy-security")
    let downloads = try await world.resolver().downloads(of: lock, for: world.recipe("tool"))
    let download = try #require(downloads.first { $0.hash == library.deb.sha256 })
    let base = layout == .debian ? world.repository.securityURL : world.repository.url
    #expect(download.urls == ["\(base)/pool/main/l/libtool/libtool_1.1%2Bsec~1_amd64.deb"])
    try await world.transport.fetch([download])
    #expect(!lock.text.contains(world.repository.url))
  }

  @Test("take the first alternative that can be had, and a virtual package's only provider")
  func alternatives() async throws {
    let world = try World()
    try world.repository.add(AptPackage("tool", depends: "gone | second, mail-agent"))
    try world.repository.add(AptPackage("second"))
    try world.repository.add(AptPackage("mailer", fields: ["Provides": "mail-agent"]))
    try world.repository.add(AptPackage("shell", fields: ["Provides": "sh (= 2), posix-sh"]))
    try world.repository.publish()
    let lock = try await world.lock(world.recipe("tool", "posix-sh"))
    #expect(lock.packages.map(\.name).suffix(4) == ["mailer", "second", "shell", "tool"])
  }

  @Test("leave out what the recipe excludes, and usrmerge where its stand-in will do")
  func excludes() async throws {
    let world = try World()
    try world.repository.add(AptPackage("tool", depends: "perl | python, usrmerge | usr-is-merged"))
    for name in ["perl", "python", "usrmerge", "usr-is-merged"] {
      try world.repository.add(AptPackage(name))
    }
    try world.repository.publish()
    let lock = try await world.lock(world.recipe("tool", exclude: ["perl"]))
    #expect(lock.packages.map(\.name).suffix(3) == ["python", "tool", "usr-is-merged"])
  }

  @Test("can be asked for in one version")
  func exactVersion() async throws {
    let world = try World()
    try world.repository.add(AptPackage("tool", "1"))
    try world.repository.add(AptPackage("tool", "2"), to: "updates")
    try world.repository.publish()
    #expect(try await world.lock(world.recipe("tool=1")).summary.last == "tool 1")
    #expect(try await world.lock(world.recipe("tool")).summary.last == "tool 2")
  }

  @Test("give the same lock for the same input")
  func deterministic() async throws {
    let world = try World()
    for name in ["a1", "b1", "c1"] {
      try world.repository.add(AptPackage(name, depends: "left | right"))
    }
    try world.repository.add(AptPackage("left"))
    try world.repository.add(AptPackage("right"))
    try world.repository.publish()
    let recipe = world.recipe("c1", "a1", "b1")
    let locks = [try await world.lock(recipe), try await world.lock(recipe)]
    #expect(locks[0].text == locks[1].text)
  }
}
