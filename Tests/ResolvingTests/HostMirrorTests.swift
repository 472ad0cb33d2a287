import Foundation
import Model
import Resolving
import Support
import SystemPackage
import Testing

@Suite(
  "On the host's own mirror",
  .enabled(if: isLong && hasTool("mmdebstrap"), "takes a mirror and BUILD_SNAPSHOT_LONG_TESTS=1"))
struct HostMirrorTests {
  /// With `LOCK_OUTPUT` in the environment, the lock goes to that file; `LOCK_STORE` names a store.
  @Test("a minimal Debian resolves, twice to the same bytes")
  func minimal() async throws {
    let folder = try TemporaryFolder()
    let environment = ProcessInfo.processInfo.environment
    let store = environment["LOCK_STORE"].map { FilePath($0) } ?? folder / "store"
    let recipe = testRecipe(
      Recipe.Base(
        distribution: .debian, suite: "bookworm", pockets: ["updates", "security"],
        position: place),
      install: [
        "systemd-sysv", "dbus", "udev", "netbase", "iproute2", "ca-certificates", "procps",
        "less", "python3",
      ])
    let resolver = try Resolver(
      scratch: folder.path, store: store, transport: PlainTransport(store: store))
    let lock = try await resolver.resolve(recipe)
    let again = try await resolver.resolve(recipe)
    #expect(lock.text == again.text)
    #expect(lock.packages.count > 100)
    let downloads = try await resolver.downloads(of: lock, for: recipe)
    #expect(downloads.count == lock.packages.count)
    if let output = environment["LOCK_OUTPUT"] {
      try lock.text.write(toFile: output, atomically: true, encoding: .utf8)
      let list = downloads.map { "\($0.hash) \($0.size) \($0.urls[0])\n" }
      try list.joined().write(toFile: output + ".urls", atomically: true, encoding: .utf8)
    }
  }
  @Test("the packages are those that mmdebstrap takes")
  func sameAsMmdebstrap() async throws {
    let folder = try TemporaryFolder()
    let names = ["systemd-sysv", "dbus", "openssh-server", "python3", "git", "xvfb", "openbox"]
    let recipe = testRecipe(
      Recipe.Base(
        distribution: .debian, suite: "bookworm", pockets: ["updates", "security"],
        position: place),
      install: names)
    let resolver = try Resolver(
      scratch: folder.path, store: folder / "store",
      transport: PlainTransport(store: folder / "store"))
    let lock = try await resolver.resolve(recipe)
    let sources = try String(
      contentsOfFile: "/etc/apt/sources.list.d/debian.sources", encoding: .utf8)
    let preferences = try folder.write(
      "preferences", "Package: usrmerge\nPin: release *\nPin-Priority: -1\n")
    let result = try runTool(
      "mmdebstrap",
      [
        "--simulate", "--variant=apt", "--mode=\(isRoot ? "root" : "unshare")", "--verbose",
        "--include=\(names.joined(separator: ","))",
        "--aptopt=Dir::Etc::Preferences \"\(preferences)\"",
        "bookworm", "/dev/null", "-",
      ], input: Data(sources.utf8)
    ).succeeded()
    let lines = (result.output + "\n" + result.errors).split(separator: "\n")
    let theirs = Set(
      lines.filter { $0.hasPrefix("Inst ") }.compactMap { line in
        let words = line.split(separator: " ")
        return words.count > 2 ? "\(words[1]) \(words[2].dropFirst())" : nil
      })
    #expect(theirs.count > 100)
    // A simulation forgets in its second step that sysvinit-utils is there, which provides this one.
    let forgotten = theirs.filter { $0.hasPrefix("lsb-base ") }
    #expect(Set(lock.summary).symmetricDifference(theirs) == forgotten)
  }
}
