import Content
import Foundation
import Imaging
import Model
import Publishing
import Support
import SystemPackage
import Testing

@testable import SnapshotClient

/// Files of a machine, put into its disk; e2fsck, debugfs and qemu-img are the judges.
@Suite(
  "Files of one machine",
  .enabled(if: hasTool("e2fsck") && hasTool("debugfs"), "needs e2fsprogs"))
struct InjectionTests {
  let token = InjectedFile(
    path: "/etc/golden/agent-token", content: Array("a-token-of-one-machine".utf8), mode: 0o400,
    owner: 1000, group: 100_000)

  /// An image with a network file, a link to a folder, and a folder of many names.
  private func image(_ shop: Shop) throws -> Release {
    func node(_ kind: Tree.Kind, _ mode: UInt16 = 0o644) -> Tree.Node {
      Tree.Node(kind: kind, mode: mode)
    }
    func text(_ text: String) -> Tree.Kind {
      .file(Tree.File(size: Int64(text.utf8.count), origin: .inline(Array(text.utf8)), data: nil))
    }
    var nodes: [(String, Tree.Node)] = [
      ("etc", node(.directory, 0o755)), ("etc/systemd", node(.directory, 0o755)),
      ("etc/systemd/network", node(.directory, 0o755)),
      ("etc/systemd/network/80-dhcp.network", node(text("[Match]\nType=ether\n"))),
      ("etc/long", node(text(String(repeating: "x", count: 300_000)))),
      ("etc/many", node(.directory, 0o755)),
      ("link", node(.symlink(target: Array("etc/systemd".utf8)), 0o777)),
    ]
    for number in 0..<2000 {
      nodes.append(("etc/many/a-name-that-takes-some-room-\(number)", node(text("\(number)"))))
    }
    nodes.sort { Array($0.0.utf8).lexicographicallyPrecedes(Array($1.0.utf8)) }
    let tree = Tree(
      entries: [Tree.Entry(path: [], node: 0)]
        + nodes.enumerated().map { Tree.Entry(path: Array($1.0.utf8), node: $0 + 1) },
      nodes: [node(.directory, 0o755)] + nodes.map(\.1))
    let staging = try shop.catalog.stage("cli")
    _ = try writeImage(
      of: tree, to: staging.disk,
      options: ImageOptions(size: 64 << 20, identity: "test", epoch: 1_700_000_000))
    let disk = try Data(contentsOf: URL(fileURLWithPath: staging.disk.string))
    return try shop.catalog.publish(
      staging, .sample(of: "cli", disk: Array(disk), input: [1]), at: Shop.now
    ).release
  }

  /// A clone with files in it, as a raw disk, and the hash of the image after all.
  private func clone(
    _ kind: CloneKind, adding files: [InjectedFile], in parent: FilePath? = nil,
    _ judge: (FilePath) throws -> Void
  ) throws {
    let shop = try Shop(in: parent)
    let release = try image(shop)
    let lease = try shop.client().lease(at: Shop.now)
    let disk = shop.folder / "disk"
    let made = try shop.client().clone(
      lease, to: disk, fallback: kind, adding: files, at: Shop.now)
    if kind == .reflink { #expect(made == .reflink) }
    var raw = disk
    if made == .overlay {
      #expect(try runTool("qemu-img", ["check", "-f", "qcow2", disk.string]).status == 0)
      raw = shop.folder / "raw"
      let result = try runTool(
        "qemu-img", ["convert", "-f", "qcow2", "-O", "raw", disk.string, raw.string])
      #expect(result.status == 0, "\(result.errors)")
    }
    let check = try runTool("e2fsck", ["-fn", raw.string])
    #expect(check.status == 0, "\(check.output)\(check.errors)")
    try judge(raw)
    #expect(try ContentHash(ofFile: release.disk) == release.manifest.disk.sha256)
  }

  private func debugfs(_ disk: FilePath, _ request: String) throws -> String {
    try runTool("debugfs", ["-R", request, disk.string]).output
  }

  @Test(
    "are in its disk, with mode and owner, and the image stays as it is",
    arguments: hasTool("qemu-img") ? [CloneKind.copy, .overlay] : [.copy])
  func added(kind: CloneKind) throws {
    let network = InjectedFile(
      path: "/etc/systemd/network/80-dhcp.network", content: Array("[Network]\n".utf8))
    let large = InjectedFile(
      path: "/etc/long", content: (0..<200_000).map { UInt8(truncatingIfNeeded: $0 / 7) },
      mode: 0o600)
    let behindLink = InjectedFile(path: "/link/network/10-own.network", content: [])
    try clone(kind, adding: [token, network, large, behindLink]) { disk in
      #expect(try debugfs(disk, "cat /etc/golden/agent-token") == "a-token-of-one-machine")
      let facts = try debugfs(disk, "stat /etc/golden/agent-token")
      #expect(facts.contains("Mode:  0400"))
      #expect(facts.contains(#/User: +1000 +Group: +100000 /#))
      #expect(facts.contains("Links: 1"))
      #expect(try debugfs(disk, "stat /etc/golden").contains(#/Type: directory +Mode: +0755/#))
      #expect(
        try debugfs(disk, "cat /etc/systemd/network/80-dhcp.network") == "[Network]\n")
      #expect(
        try debugfs(disk, "stat /etc/systemd/network/10-own.network").contains("Size: 0"))
      let copy = try TemporaryFolder()
      _ = try debugfs(disk, "dump /etc/long \(copy / "long")")
      #expect(try contents(of: copy / "long") == large.content)
    }
  }

  @Test(
    "are the only blocks of its disk that are its own, where files can share blocks",
    .enabled(if: canMountReflinks, "needs root, unshare, mkfs.btrfs and a kernel that mounts it"))
  func sharing() throws {
    let disk = try SmallDisk(size: 512 << 20, .reflinks)
    let long = InjectedFile(path: "/etc/long", content: Array("short now".utf8))
    try clone(.reflink, adding: [token, long], in: disk.path) { clone in
      #expect(try debugfs(clone, "cat /etc/golden/agent-token") == "a-token-of-one-machine")
      #expect(try debugfs(clone, "stat /etc/golden/agent-token").contains("Mode:  0400"))
      #expect(try debugfs(clone, "cat /etc/long") == "short now")
      // The last line: total, its own, shared, name.
      let usage = try runTool("btrfs", ["filesystem", "du", "--raw", clone.string]).succeeded()
      let numbers = usage.output.split(separator: "\n").last?.split(separator: " ")
        .compactMap { Int($0) }
      let (own, shared) = (try #require(numbers?.dropFirst().first), numbers?.last ?? 0)
      #expect(own > 0 && own <= 128 << 10, "\(usage.output)")
      #expect(shared > 8 << 20, "\(usage.output)")
    }
  }

  @Test("find room in a folder that is full and indexed")
  func manyNames() throws {
    let files = (0..<300).map {
      InjectedFile(path: "/etc/many/another-name-\($0)", content: Array("\($0)".utf8))
    }
    try clone(.copy, adding: files) { disk in
      let (new, old) = try (
        debugfs(disk, "cat /etc/many/another-name-299"),
        debugfs(disk, "cat /etc/many/a-name-that-takes-some-room-7")
      )
      #expect(new == "299" && old == "7")
    }
  }

  @Test("never take the place of a folder, or leave the image")
  func refused() throws {
    for (path, failure) in [
      ("/etc/systemd", InjectionFailure.isFolder("/etc/systemd")),
      ("etc/token", .badPath("etc/token")), ("/etc/../token", .badPath("/etc/../token")),
      ("/", .badPath("/")),
    ] {
      #expect(throws: failure) {
        try clone(.copy, adding: [InjectedFile(path: path, content: [])]) { _ in }
      }
    }
    #expect(throws: InjectionFailure.self, "a file is no folder") {
      try clone(.copy, adding: [InjectedFile(path: "/etc/long/token", content: [])]) { _ in }
    }
  }
}
