import Content
import Foundation
import Isolation
import Model
import Support
import Synchronization
import SystemPackage
import Testing

@testable import Assembling

@Suite("Customising a root", .enabled(if: isRoot && hasMergedUsr, "needs root and a merged /usr"))
struct CustomiseTests {
  private let root: TestRoot
  private let scratch: TemporaryFolder
  private let store: BlobStore

  init() throws {
    root = try TestRoot.withAccounts()
    scratch = try TemporaryFolder()
    store = try BlobStore(store: scratch.path)
    // Programs are the host's: its /usr shows in the sandbox.
    try root.folder.remove("/bin")
    for name in ["bin", "sbin", "lib", "lib64"] {
      try root.folder.makeLink(FilePath("/").appending(name), to: FilePath("usr/\(name)"))
    }
    try root.write("/usr/bin/bash", "")
    try root.write("/usr/lib/os-release", "ID=debian\nBUILD_ID=old\n")
    try root.folder.makeLink("/etc/os-release", to: "../usr/lib/os-release")
  }

  private var sandbox: Sandbox {
    Sandbox(root: root.path, binds: [.init("/usr", at: "/usr")])
  }

  private func recipe(_ change: (inout Recipe) -> Void = { _ in }) -> Recipe {
    var recipe = Recipe(
      file: "recipe.toml", digest: ContentHash(of: ""), image: .init(name: "test", position: place),
      base: .init(distribution: .debian, suite: "bookworm", position: place), packages: .init())
    change(&recipe)
    return recipe
  }

  private func customise(_ recipe: Recipe, events: @escaping EventSink = { _ in }) throws {
    let lock = Lock(recipe: recipe.digest, epoch: 1_700_000_000)
    try Assembling.customise(
      recipe, lock, from: store, in: sandbox, buildID: "abc", jobs: 2, events: events)
  }

  @Test func namesTheSystem() throws {
    try root.write("/usr/share/zoneinfo/Europe/Berlin", "TZif")
    try customise(recipe { $0.image.timezone = "Europe/Berlin" })
    #expect(try root.text("/etc/hostname") == "golden\n")
    #expect(try root.text("/etc/hosts")?.contains("127.0.1.1 golden\n") == true)
    #expect(try root.text("/etc/timezone") == "Europe/Berlin\n")
    #expect(
      try root.folder.target(ofLink: "/etc/localtime") == "/usr/share/zoneinfo/Europe/Berlin")
    #expect(try root.text("/etc/default/locale") == "LANG=C.UTF-8\n")
    #expect(
      try root.text("/etc/os-release") == "ID=debian\nIMAGE_ID=\"test\"\nBUILD_ID=\"abc\"\n")
    #expect(try root.text("/usr/lib/os-release") == "ID=debian\nBUILD_ID=old\n")
    #expect(try root.folder.status(of: "/etc/systemd") == nil)
  }

  @Test func keepsTheHostsThatPackagesKnow() throws {
    try root.write("/etc/hosts", "127.0.0.1 localhost")
    try customise(recipe())
    try customise(recipe())
    #expect(try root.text("/etc/hosts") == "127.0.0.1 localhost\n127.0.1.1 golden\n")
  }

  @Test func lackingTimeZonesAndLocalesAreFaults() throws {
    let zone = #expect(throws: FaultyRecipe.self) {
      try customise(recipe { $0.image.timezone = "Mars/Olympus" })
    }
    #expect(
      zone?.description == "recipe.toml:7:1: error: the image has no time zone 'Mars/Olympus'; "
        + "add the package 'tzdata', or correct the name")
    let locale = #expect(throws: FaultyRecipe.self) {
      try customise(recipe { $0.image.locale = "de_DE.UTF-8" })
    }
    #expect(
      locale?.description == "recipe.toml:7:1: error: the image cannot make the locale "
        + "'de_DE.UTF-8'; add the package 'locales'")
  }

  @Test func letsClonesMakeTheirHostKeys() throws {
    try root.write("/usr/sbin/sshd", "")
    try customise(recipe())
    for folder in ["ssh.service.wants", "ssh.socket.wants"] {
      let link = FilePath("/etc/systemd/system").appending(folder).appending(
        "ssh-host-keys.service")
      #expect(try root.folder.target(ofLink: link) == "/etc/systemd/system/ssh-host-keys.service")
    }
  }

  @Test func runsCommandsAsTheirUsers() throws {
    let lines = Mutex<[String]>([])
    let user = Recipe.User(
      name: "agent", uid: 1000, gid: 1000, groups: ["video"], home: "/home/agent", position: place)
    try addUsers([user], to: root.path, epoch: 0)
    try customise(
      recipe {
        $0.users = [user]
        $0.files = [
          Recipe.File(path: "/srv/in", content: .text("input"), owner: "agent", position: place)
        ]
        $0.runs = [
          Recipe.Run(
            name: "first",
            command: [
              "sh", "-c", "id -u; id -G; pwd; echo $HOME $A $SOURCE_DATE_EPOCH; cat /srv/in > out",
            ],
            environment: ["A": "b"], user: "agent", directory: "/home/agent", position: place)
        ]
        $0.agents = [
          Recipe.Agent(
            name: "last", source: .path((try? scratch.write("last", "x"))?.string ?? ""),
            into: "/opt/", position: place)
        ]
      }
    ) { event in
      if case .output(let line) = event { lines.withLock { $0.append(line) } }
    }
    #expect(
      lines.withLock { $0 } == ["1000", "1000 44", "/home/agent", "/home/agent b 1700000000"])
    #expect(try root.text("/home/agent/out") == "input")
    #expect(try root.folder.status(of: "/home/agent/out")?.uid == 1000)
    #expect(try root.text("/opt/last") == "x")
  }

  @Test func tellsWhatAFailedRunPrinted() throws {
    let failure = #expect(throws: CustomiseFailure.self) {
      try customise(
        recipe {
          $0.runs = [
            Recipe.Run(
              name: "bad", command: ["sh", "-c", "echo one; echo two >&2; exit 3"], position: place)
          ]
        })
    }
    #expect(failure?.description == "run 'bad' failed: exit status 3:\n  one\n  two")
  }

  @Test func needsEveryPayloadInTheLock() throws {
    let failure = #expect(throws: FaultyRecipe.self) {
      try customise(
        recipe {
          $0.wheels = [Recipe.Wheel(package: "tool==1", files: [:], position: place)]
        })
    }
    #expect(
      failure?.description
        == "recipe.toml:7:1: error: wheel 'tool' is not in the lock; run 'build-snapshot lock'")
  }
}
