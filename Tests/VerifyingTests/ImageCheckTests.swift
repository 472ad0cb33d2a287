import Content
import Imaging
import Model
import Support
import SystemPackage
import Testing

@testable import Verifying

private func file(_ text: String, mode: UInt16 = 0o644) -> Tree.Node {
  DoctoredImage.file(text, mode: mode)
}

@Suite("Checks of an image", .enabled(if: hasTool("e2fsck"), "needs e2fsck"))
struct ImageCheckTests {
  @Test("find nothing in a sound one")
  func sound() throws {
    let image = try DoctoredImage()
    let subject = try image.subject(
      builder: BuildMachine(hostName: "buildhost", folders: ["/srv/work/1"]))
    for result in try run(imageChecks, on: subject) {
      #expect(result.findings == [], "\(result.name)")
    }
  }

  @Test(
    "name what is wrong in a doctored one",
    arguments: [
      Fault(
        "etc/ssh/ssh_host_ed25519_key", file("key"), IdentityCheck(),
        "error: identity: /etc/ssh/ssh_host_ed25519_key: is an SSH host key, the same for every clone; remove it; let a unit run 'ssh-keygen -A' at the first boot"
      ),
      Fault(
        "etc/machine-id", file("0123456789abcdef0123456789abcdef\n"), IdentityCheck(),
        "error: identity: /etc/machine-id: holds the machine id '01234567…', the same for every clone; leave it empty: systemd makes one at the first boot"
      ),
      Fault(
        "root/.bash_history", file("ls\n"), CredentialsCheck(),
        "error: credentials: /root/.bash_history: is someone's history; remove it in a [[run]]"),
      Fault(
        "var/lib/systemd/random-seed", file("x"), IdentityCheck(),
        "error: identity: /var/lib/systemd/random-seed: is a random seed, the same for every clone; remove it: clones with equal seeds draw equal numbers"
      ),
      Fault(
        "var/lib/dhcp/dhclient.leases", file("lease {}\n"), IdentityCheck(),
        "error: identity: /var/lib/dhcp/dhclient.leases: is a DHCP lease, the same for every clone; remove it in a [[run]]"
      ),
      Fault(
        "root/.ssh/authorized_keys", file("ssh-ed25519 AAAA\n"), CredentialsCheck(),
        "error: credentials: /root/.ssh/authorized_keys: is a list of keys that may log in; remove it in a [[run]]"
      ),
      Fault(
        "home/agent/.codex/auth.json", file("{}"), CredentialsCheck(),
        "error: credentials: /home/agent/.codex/auth.json: is someone's credentials; remove it in a [[run]]"
      ),
      Fault(
        "root/.npm/_cacache/index", file("x"), CredentialsCheck(),
        "error: credentials: /root/.npm/_cacache: is npm's cache, which keeps signed addresses; remove it in a [[run]]"
      ),
      Fault(
        "home/auth.json", file("{}"), CredentialsCheck(), nil),
      Fault(
        "etc/shadow", file("root:$y$j9T$abc$def:1::::::\n"), PasswordsCheck(),
        "error: passwords: /etc/shadow: holds a password of 'root', the same for every clone; lock the account: 'passwd --lock root'"
      ),
      Fault(
        "etc/shadow", file("root::1::::::\n"), PasswordsCheck(),
        "error: passwords: /etc/shadow: lets anyone log in as 'root' without a password; lock the account: 'passwd --lock root'"
      ),
      Fault(
        "opt/agent/key.pem",
        file(
          "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\nMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu\n"
        ), SecretsCheck(),
        "error: secrets: /opt/agent/key.pem: holds a private key; give secrets to a clone when it boots; if this is none, name it in an [[allow]]"
      ),
      Fault("opt/agent/key.pem", file("-----BEGIN PRIVATE KEY-----\n…\n"), SecretsCheck(), nil),
      Fault(
        "opt/agent/env", file("TOKEN=ghp_0123456789abcdefghijABCDEFGHIJ012345\n"), SecretsCheck(),
        "error: secrets: /opt/agent/env: holds a GitHub token; give secrets to a clone when it boots; if this is none, name it in an [[allow]]"
      ),
      Fault(
        "opt/agent/env", file("prefix ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"), SecretsCheck(),
        nil),
      Fault(
        "opt/agent/log", file("made in /srv/work/1/root/opt\n"), TracesCheck(),
        "error: build-traces: /opt/agent/log: names the build's folder '/srv/work/1'; the image would differ when another machine builds it"
      ),
      Fault(
        "etc/motd", file("from buildhost.\n"), TracesCheck(),
        "error: build-traces: /etc/motd: names the build machine 'buildhost'; the image would differ when another machine builds it"
      ),
      Fault(
        "opt/agent/open", file("x", mode: 0o666), ModesCheck(),
        "error: modes: /opt/agent/open: can be written to by everyone (mode 666); take the permission away: 'chmod o-w /opt/agent/open'"
      ),
      Fault(
        "opt/agent/suid", file("x", mode: 0o4755), ModesCheck(),
        "error: modes: /opt/agent/suid: runs as user 0 whoever starts it, and is not among the known programs that do; take the bit away, or name it in an [[allow]] with the reason"
      ),
      Fault(
        "etc/systemd/system/serve.service",
        file("[Unit]\nDescription=S\n[Service]\nExecStart=/opt/gone --now\n"), UnitsCheck(),
        "error: units: /etc/systemd/system/serve.service: starts '/opt/gone', which is not in the image or cannot be executed; the unit would fail at every boot"
      ),
      Fault(
        "etc/systemd/system/multi-user.target.wants/lost.service",
        DoctoredImage.link("/usr/lib/systemd/system/lost.service"), UnitsCheck(),
        "error: units: /etc/systemd/system/multi-user.target.wants/lost.service: enables a unit that is not in the image (it leads to '/usr/lib/systemd/system/lost.service'); disable it, or bring the unit"
      ),
      Fault(
        "etc/systemd/system/serve.service",
        file("[Unit]\nAfter=serve.service\n[Service]\nExecStart=/usr/bin/serve\n"), UnitsCheck(),
        "error: units: serve.service: waits for itself: serve.service after serve.service; systemd would leave one of them out by chance"
      ),
      Fault(
        "etc/systemd/system/serve.service", file("Description=S\n[Service\nExec\n"), UnitsCheck(),
        "error: units: /etc/systemd/system/serve.service: has a setting before its first section: 'Description=S'"
      ),
      Fault(
        "var/lib/dpkg/status",
        file("Package: hello\nStatus: install ok unpacked\nArchitecture: amd64\n"), PackagesCheck(),
        "error: packages: hello: is 'install ok unpacked', not installed"),
      Fault(
        "var/lib/dpkg/info/hello.list", nil, PackagesCheck(),
        "error: packages: hello: has no list of its files"),
    ])
  func doctored(_ fault: Fault) throws {
    var changes = [fault.path: fault.node]
    let parts = fault.path.split(separator: "/")
    for count in 1..<parts.count {
      let folder = parts[..<count].joined(separator: "/")
      if DoctoredImage.sound[folder] == nil { changes[folder] = DoctoredImage.directory() }
    }
    let image = try DoctoredImage(changes)
    let found = try image.findings(
      of: fault.check,
      builder: BuildMachine(hostName: "buildhost", folders: ["/srv/work/1"]))
    #expect(found.first == fault.message)
  }

  @Test("find a content, a mode and a name that are not as meant")
  func otherTree() throws {
    let image = try DoctoredImage()
    var nodes = DoctoredImage.sound
    nodes["usr/bin/serve"] = file("#!/bin/sx\n", mode: 0o755)
    nodes["etc/shadow"] = file("root:*:1::::::\n", mode: 0o600)
    nodes["etc/hosts"] = file("")
    let paths = nodes.keys.sorted()
    let meant = Tree(
      entries: [Tree.Entry(path: [], node: 0)]
        + paths.enumerated().map { Tree.Entry(path: Array($1.utf8), node: $0 + 1) },
      nodes: [DoctoredImage.directory()] + paths.compactMap { nodes[$0] })
    #expect(
      try image.findings(of: SameTreeCheck(), meant: meant) == [
        "error: tree: /etc/shadow: has mode 640, not 600",
        "error: tree: /etc/hosts: is missing from the image",
        "error: tree: /usr/bin/serve: has another content than was meant",
      ])
  }

  @Test("list what is largest when the budget is exceeded")
  func budget() throws {
    let image = try DoctoredImage(["opt/big": file(String(repeating: "x", count: 3 << 20))])
    var recipe = sampleRecipe()
    recipe.budget = Recipe.Budget(
      free: 1 << 30, freeInodes: 1_000_000, position: recipe.image.position)
    let found = try image.findings(of: BudgetCheck(), recipe: recipe)
    #expect(found.count == 2)
    #expect(found[0].hasPrefix("error: budget: "))
    #expect(found[0].contains("are free for an ordinary user, the recipe asks for 1024.0 MiB"))
    #expect(found[0].contains("the largest packages:\n    0.0 MiB  hello"))
    #expect(found[0].contains("the largest folders:\n    3.0 MiB  /opt"))
  }

  @Test("find an agent that is not its source any more")
  func staleAgent() throws {
    let image = try DoctoredImage()
    var recipe = sampleRecipe()
    recipe.agents = [
      Recipe.Agent(
        name: "server", source: .path("agents/server"), into: "/opt/agent",
        position: recipe.image.position
      )
    ]
    var subject = try image.subject(recipe: recipe)
    let hash = ContentHash(of: "#!/bin/sh\necho 1\n")
    subject.agentHashes["server"] = ContentHash(
      of: "folder \".\"\nprogram \"./run\" \(hash)")
    #expect(try AgentsCheck().findings(in: subject) == [])
    subject.agentHashes["server"] = ContentHash(of: "other")
    let found = try AgentsCheck().findings(in: subject)
    #expect(found.count == 1)
    #expect(
      "\(found[0])".hasPrefix("error: agents: /opt/agent: agent 'server' is stale: the image has "))
  }

  @Test("find one block of a table that is corrupt")
  func corruptBlock() throws {
    let image = try DoctoredImage()
    // The first inode table's block, which holds the root folder's inode.
    let place = try runTool("dumpe2fs", [image.disk.string]).output
    let table = try #require(
      place.split(separator: "\n").first { $0.contains("Inode table at ") }?
        .split(separator: " ").first { $0.first?.isNumber == true }?
        .split(separator: "-").first.flatMap { Int($0) })
    let file = try FileDescriptor.open(image.disk, .writeOnly)
    try file.closeAfter {
      _ = try file.writeAll(
        toAbsoluteOffset: Int64(table) * 4096 + 256, [UInt8](repeating: 0xA5, count: 200))
    }
    let subject = Subject(
      disk: image.disk, files: FileTable(image.tree), content: NoContent())
    let result = try run([FsckCheck()], on: subject)[0]
    #expect(result.outcome == .failed)
    #expect("\(result.findings)".contains("Root inode"))
    #expect(throws: ImagingFailure.self) { try readImage(at: image.disk) }
  }

  @Test("find one block of a file that is corrupt, which no other judge can")
  func corruptContent() throws {
    let image = try DoctoredImage([
      "opt/agent/data": file(String(repeating: "golden", count: 4000))
    ])
    let blocks = try runTool("debugfs", ["-R", "blocks /opt/agent/data", image.disk.string]).output
    let block = try #require(
      blocks.split(whereSeparator: \.isWhitespace).compactMap { Int64($0) }.last)
    let disk = try FileDescriptor.open(image.disk, .writeOnly)
    try disk.closeAfter { _ = try disk.writeAll(toAbsoluteOffset: block * 4096, [0xA5]) }
    #expect(try image.findings(of: FsckCheck()) == [])
    #expect(
      try image.findings(of: SameTreeCheck()) == [
        "error: tree: /opt/agent/data: has another content than was meant"
      ])
  }

  @Test(
    "tell that a foreign image's inode tables would be zeroed by every clone",
    .enabled(if: hasTool("mke2fs"), "needs mke2fs"))
  func lazyTables() throws {
    let folder = try TemporaryFolder()
    let disk = folder / "foreign.ext4"
    _ = try runTool(
      "mke2fs", ["-q", "-t", "ext4", "-E", "lazy_itable_init=1", disk.string, "64M"]
    ).succeeded()
    let facts = try readImage(at: disk).facts
    #expect(facts.groupsToZero > 0)
    #expect(facts.reservedBlocks > 0)
  }
}

private struct NoContent: ContentSource {
  func bytes(of node: Int, limit: Int) -> [UInt8] { [] }
}

/// A node that a check must find; nil as the message says that it must not.
struct Fault: Sendable, CustomTestStringConvertible {
  var path: String
  var node: Tree.Node?
  var check: any Check
  var message: String?

  init(_ path: String, _ node: Tree.Node?, _ check: any Check, _ message: String?) {
    (self.path, self.node, self.check, self.message) = (path, node, check, message)
  }

  var testDescription: String { "\(check.name): \(path)" }
}
