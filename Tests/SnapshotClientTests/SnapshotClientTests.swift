import Content
import Foundation
import Model
import Publishing
import Support
import SystemPackage
import Testing

@testable import SnapshotClient

/// A catalog with small releases, and a client of it.
private struct Fleet {
  let folder: TemporaryFolder
  let key: SigningKey?
  let catalog: Catalog
  static let now = Timestamp(seconds: 1_782_873_667)

  init(isSigned: Bool = true) throws {
    folder = try TemporaryFolder()
    key = isSigned ? SigningKey.generate() : nil
    catalog = Catalog(store: folder / "store", key: key)
  }

  func client(keys: [PublicKey]? = nil, signs: Bool = false) throws -> SnapshotClient {
    try SnapshotClient(
      store: folder / "store", image: "cli", state: folder / "state.json",
      keys: keys ?? key.map { [$0.publicKey] } ?? [], policy: BootPolicy(badBoots: 2, boots: 3),
      key: signs ? key : nil)
  }

  @discardableResult
  func publish(_ byte: UInt8, expires: Int? = nil) throws -> Release {
    let disk = [UInt8](repeating: byte, count: 65536)
    let staging = try catalog.stage("cli")
    _ = FileManager.default.createFile(atPath: staging.disk.string, contents: Data(disk))
    return try catalog.publish(
      staging,
      .sample(of: "cli", disk: disk, input: [byte]),
      at: Self.now, expires: expires
    ).release
  }
}

@Suite("A client of a catalog")
struct SnapshotClientTests {
  let now = Fleet.now

  @Test("goes to the latest release, and keeps what its machines have")
  func follows() throws {
    let fleet = try Fleet()
    let first = try fleet.publish(1)
    let client = try fleet.client()
    let lease = try client.lease(at: now)
    #expect(lease.release.version == first.version)
    let second = try fleet.publish(2)
    #expect(try client.current(at: now).version == second.version)
    try fleet.publish(3)
    let cleanup = try fleet.catalog.collect("cli", Retention(keep: 1), at: now)
    #expect(cleanup.removed.isEmpty)
    #expect(cleanup.kept.contains { $0.version == first.version && $0.reason == .leased })
    #expect(FileManager.default.fileExists(atPath: first.disk.string))
  }

  @Test("wakes up at a publication, and by itself")
  func watches() throws {
    let fleet = try Fleet()
    try fleet.publish(1)
    let watch = CatalogWatch(store: fleet.folder / "store", image: "cli")
    #expect(!watch.wait(upTo: .milliseconds(10)))
    try fleet.publish(2)
    #expect(watch.wait(upTo: .seconds(10)))
    let early = CatalogWatch(store: fleet.folder / "store", image: "later")
    #expect(!early.wait(upTo: .milliseconds(10)))
  }

  @Test("refuses another key, a lower generation, an expired pointer and other bytes")
  func refuses() throws {
    let fleet = try Fleet()
    try fleet.publish(1, expires: 60)
    let old = try Data(contentsOf: URL(fileURLWithPath: pointer(fleet)))
    let stranger = try fleet.client(keys: [SigningKey.generate().publicKey])
    #expect(throws: TrustFailure.self) { try stranger.current(at: now) }

    let client = try fleet.client()
    #expect(throws: TrustFailure.expired(image: "cli", Timestamp(seconds: now.seconds + 60))) {
      try client.current(at: Timestamp(seconds: now.seconds + 61))
    }
    let second = try fleet.publish(2)
    #expect(try client.current(at: now).version == second.version)
    try old.write(to: URL(fileURLWithPath: pointer(fleet)))
    // Also after a restart: what was seen is on the disk.
    #expect(throws: TrustFailure.staleGeneration(image: "cli", 1, seen: 2)) {
      try fleet.client().current(at: now)
    }

    let third = try fleet.publish(3)
    chmod(third.disk.string, 0o644)
    try Data(repeating: 9, count: 65536).write(to: URL(fileURLWithPath: third.disk.string))
    #expect {
      try fleet.client().current(at: now)
    } throws: { error in
      if case .otherBytes(file: "rootfs.ext4", _, _)? = error as? TrustFailure {
        true
      } else {
        false
      }
    }
  }

  @Test("goes back to the last good release after enough bad boots", arguments: [true, false])
  func rollsBack(signs: Bool) throws {
    let fleet = try Fleet()
    try fleet.publish(1)
    let good = try fleet.publish(2)
    let client = try fleet.client(signs: signs)
    #expect(try client.report(.good, of: good.version, at: now) == .counted)
    let bad = try fleet.publish(3)
    #expect(try client.current(at: now).version == bad.version)
    let boot = Boot.bad(reason: "no agent answers")
    #expect(try client.report(boot, of: bad.version, at: now) == .counted)
    #expect(try client.report(.good, of: bad.version, at: now) == .counted)
    #expect(
      try client.report(boot, of: bad.version, at: now)
        == .condemned(signs ? .pointerMoved : .markedOnly))
    #expect(try client.current(at: now).version == good.version)
    #expect(try fleet.client().current(at: now).version == good.version)
    let mark = try #require(try fleet.catalog.quarantined("cli").first)
    #expect(mark.version == bad.version && mark.reason.contains("no agent answers"))
    #expect(throws: CatalogFailure.self) { try fleet.publish(3) }
    #expect(try fleet.catalog.pointer("cli")?.version == (signs ? good : bad).version)
    let next = try fleet.publish(4)
    #expect(try client.current(at: now).version == next.version)
  }

  @Test("holds its lease in whichever process has the descriptor")
  func leaseOutlivesUs() throws {
    let fleet = try Fleet(isSigned: false)
    let release = try fleet.publish(1)
    let machine = Process()
    machine.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    machine.arguments = ["cat"]
    let (input, output) = (Pipe(), Pipe())
    machine.standardInput = input
    machine.standardOutput = output
    do {
      // As a controller starts a machine: the descriptor is inherited, then the controller is gone.
      let lease = try fleet.client().lease(at: now)
      machine.standardError = FileHandle(fileDescriptor: lease.descriptor.rawValue)
      try machine.run()
    }
    input.fileHandleForWriting.write(Data("ready".utf8))
    #expect(output.fileHandleForReading.readData(ofLength: 5) == Data("ready".utf8))
    #expect(fleet.catalog.isLeased(release))
    try input.fileHandleForWriting.close()
    machine.waitUntilExit()
    #expect(!fleet.catalog.isLeased(release))
  }

  @Test("makes overlays that QEMU accepts", .enabled(if: hasTool("qemu-img"), "no qemu-img"))
  func overlays() throws {
    let fleet = try Fleet(isSigned: false)
    try fleet.publish(7)
    let client = try fleet.client()
    let lease = try client.lease(at: now)
    let disk = fleet.folder / "disk"
    let kind = try client.clone(lease, to: disk, fallback: .overlay)
    guard kind == .overlay else { return }  // this file system shares blocks
    let check = try runTool("qemu-img", ["check", "-f", "qcow2", disk.string])
    #expect(check.status == 0, "\(check.errors)\(check.output)")
    let compare = try runTool("qemu-img", ["compare", disk.string, lease.release.disk.string])
    #expect(compare.output.contains("Images are identical"), "\(compare.errors)")
    let large = try fleet.folder.write("large", qcow2Header(size: 8 << 30, backing: "\(disk)"))
    #expect(try runTool("qemu-img", ["check", "-f", "qcow2", large.string]).status == 0)
  }

  @Test("copies where nothing else goes")
  func copies() throws {
    let fleet = try Fleet(isSigned: false)
    try fleet.publish(7)
    let client = try fleet.client()
    let lease = try client.lease(at: now)
    _ = try client.clone(lease, to: fleet.folder / "disk")
    #expect(
      try ContentHash(ofFile: fleet.folder / "disk") == lease.release.manifest.disk.sha256)
  }

  private func pointer(_ fleet: Fleet) -> String {
    (fleet.folder / "store/images/cli/latest.json").string
  }
}
