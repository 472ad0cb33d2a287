import Foundation
import Model
import Support
import SystemPackage
import Testing

@testable import Resolving

@Suite("The host's apt sources")
struct HostSourceTests {
  @Test("are read from deb822 files")
  func deb822() {
    let text = """
      # The distribution
      Types: deb deb-src
      URIs: http://one.invalid/debian/ http://two.invalid/debian
      Suites: bookworm
       bookworm-updates
      Components: main contrib
      Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
      Check-Valid-Until: no

      Enabled: no
      Types: deb
      URIs: http://off.invalid
      Suites: bookworm
      Components: main

      Types: deb-src
      URIs: http://sources.invalid
      Suites: bookworm
      Components: main

      Types: deb
      URIs: http://inline.invalid
      Suites: stable
      Components: main
      Architectures: amd64 arm64
      Signed-By:
       -----BEGIN PGP PUBLIC KEY BLOCK-----
       .
       AAEC
       -----END PGP PUBLIC KEY BLOCK-----
      """
    let sources = AptSource.entries(ofDeb822: text)
    #expect(sources.count == 2)
    #expect(sources.first?.uris == ["http://one.invalid/debian", "http://two.invalid/debian"])
    #expect(sources.first?.suites == ["bookworm", "bookworm-updates"])
    #expect(sources.first?.components == ["main", "contrib"])
    #expect(
      sources.first?.signedBy == .files(["/usr/share/keyrings/debian-archive-keyring.gpg"]))
    #expect(sources.first?.checksExpiry == false)
    #expect(sources.last?.architectures == ["amd64", "arm64"])
    guard case .inline(let key) = sources.last?.signedBy else {
      Issue.record("no key")
      return
    }
    #expect(dearmored(key) == [0, 1, 2])
  }

  @Test("are read from files of one-line entries")
  func oneLine() {
    let text = """
      # deb http://off.invalid bookworm main
      deb http://plain.invalid/ubuntu/ jammy main universe # a remark
      deb-src http://plain.invalid/ubuntu jammy main
      deb [ arch=amd64,arm64 signed-by=/k/one.gpg,/k/two.asc ] http://x.invalid jammy main
      deb [signed-by=0123ABCD0123ABCD!] http://y.invalid/y ./ main
      nonsense
      """
    let sources = AptSource.entries(ofList: text)
    #expect(
      sources.map(\.uris) == [
        ["http://plain.invalid/ubuntu"], ["http://x.invalid"], ["http://y.invalid/y"],
      ])
    #expect(sources[0].components == ["main", "universe"])
    #expect(sources[1].architectures == ["amd64", "arm64"])
    #expect(sources[1].signedBy == .files(["/k/one.gpg", "/k/two.asc"]))
    #expect(sources[2].signedBy == .fingerprints(["0123ABCD0123ABCD"]))
  }

  @Test(
    "serve a recipe, with third parties passed over, keys of every kind and components on lines of their own",
    .enabled(if: canMakeRepositories, "needs gpg and dpkg-deb"),
    arguments: ["file", "trusted", "inline"])
  func serve(keys: String) async throws {
    let world = try World()
    try world.repository.publish()
    // Of the same suite and component, but of another origin.
    let other = try AptRepository(layout: .debian)
    try other.add(AptPackage("base-files", "666", isEssential: true))
    try other.publish()
    let armored = try armor(world.repository.keyring, in: world.folder)
    var signedBy = "Signed-By: \(world.repository.keyring)\n"
    switch keys {
    case "trusted":
      try world.folder.write("apt/trusted.gpg.d/test.asc", armored)
      signedBy = ""
    case "inline":
      let lines = armored.split(separator: "\n", omittingEmptySubsequences: false)
      signedBy = "Signed-By:\n" + lines.map { " \($0.isEmpty ? "." : $0)\n" }.joined()
    default: break
    }
    let option = "[signed-by=\(other.keyring)]"
    try world.folder.write(
      "apt/sources.list",
      "deb \(option) \(other.url) jammy main\ndeb \(option) \(other.url) jammy-updates main\n")
    let suites = "jammy jammy-updates jammy-security"
    try world.folder.write(
      "apt/sources.list.d/test.sources",
      "Types: deb\nURIs: \(world.repository.url)\nSuites: \(suites)\nComponents: main\n" + signedBy)
    var base = world.base
    base.mirror = .host
    base.keyring = nil
    let resolver = try world.resolver(aptFolder: world.folder / "apt")
    let lock = try await resolver.resolve(testRecipe(base))
    #expect(lock.summary == ["apt 1", "base-files 1", "libbase 1"])
  }

  @Test("must have every pocket that the recipe wants")
  func missing() async throws {
    let folder = try TemporaryFolder()
    try folder.write("apt/sources.list", "deb http://x.invalid jammy main\n")
    let resolver = try Resolver(
      scratch: folder / "scratch", store: folder / "store",
      transport: PlainTransport(store: folder / "store"), aptFolder: folder / "apt")
    let base = Recipe.Base(
      distribution: .ubuntu, suite: "jammy", pockets: ["updates"], position: place)
    await #expect(
      throws: ResolvingFailure.faulty([
        Diagnostic(
          at: place, "the host's apt sources have no 'jammy-updates' with 'main'",
          hint: "give 'mirror' an address, or leave the pocket out")
      ])
    ) { try await resolver.resolve(testRecipe(base)) }
  }

  @Test("bring apt's proxies along")
  func proxies() async throws {
    let folder = try TemporaryFolder()
    try folder.write("apt/apt.conf.d/proxy", "Acquire::http::Proxy \"http://proxy.invalid:3128\";")
    let resolver = try Resolver(
      scratch: folder / "scratch", store: folder / "store",
      transport: PlainTransport(store: folder / "store"), aptFolder: folder / "apt")
    let configuration = try await resolver.aptConfiguration()
    #expect(configuration.contains("Acquire::http::Proxy \"http://proxy.invalid:3128\";"))
  }

  private func armor(_ keyring: FilePath, in folder: TemporaryFolder) throws -> String {
    let data = try Data(contentsOf: URL(fileURLWithPath: keyring.string))
    return "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n"
      + data.base64EncodedString(options: .lineLength64Characters)
      .replacing("\r\n", with: "\n") + "\n-----END PGP PUBLIC KEY BLOCK-----\n"
  }
}
