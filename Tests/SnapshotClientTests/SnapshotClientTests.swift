import Content
import Foundation
import Model
import Publishing
import Support
import SystemPackage
import Testing

@testable import SnapshotClient

@Suite("A client of a catalog")
struct SnapshotClientTests {
  let now = Shop.now

  @Test("goes to the latest release, and keeps what its machines have")
  func follows() throws {
    let shop = try Shop()
    let first = try shop.publish(1)
    let client = try shop.client()
    let lease = try client.lease(at: now)
    #expect(lease.release.version == first.version)
    let second = try shop.publish(2)
    #expect(try client.current(at: now).version == second.version)
    try shop.publish(3)
    let cleanup = try shop.catalog.collect("cli", Retention(keep: 1), at: now)
    #expect(cleanup.removed.isEmpty)
    #expect(cleanup.kept.contains { $0.version == first.version && $0.reason == .leased })
    #expect(FileManager.default.fileExists(atPath: first.disk.string))
  }

  @Test("goes back to the last good release after enough bad boots", arguments: [true, false])
  func rollsBack(signs: Bool) throws {
    let shop = try Shop()
    try shop.publish(1)
    let good = try shop.publish(2)
    let client = try shop.client(signs: signs)
    #expect(try client.report(.good, of: good.version, at: now) == .counted)
    let bad = try shop.publish(3)
    #expect(try client.current(at: now).version == bad.version)
    let boot = Boot.bad(reason: "no agent answers")
    #expect(try client.report(boot, of: bad.version, at: now) == .counted)
    #expect(try client.report(.good, of: bad.version, at: now) == .counted)
    #expect(
      try client.report(boot, of: bad.version, at: now)
        == .condemned(signs ? .pointerMoved : .markedOnly))
    #expect(try client.current(at: now).version == good.version)
    #expect(try shop.client().current(at: now).version == good.version)
    let mark = try #require(try shop.catalog.quarantined("cli").first)
    #expect(mark.version == bad.version && mark.reason.contains("no agent answers"))
    #expect(throws: CatalogFailure.self) { try shop.publish(3) }
    #expect(try shop.catalog.pointer("cli")?.version == (signs ? good : bad).version)
    let next = try shop.publish(4)
    #expect(try client.current(at: now).version == next.version)
  }

  @Test("counts the last boots of a release only")
  func window() throws {
    let shop = try Shop()
    try shop.publish(1)
    let release = try shop.publish(2)
    let client = try shop.client()
    let bad = Boot.bad(reason: "no agent answers")
    // Two bad ones of four, never two of the last three.
    for boot in [bad, .good, .good, bad] {
      #expect(try client.report(boot, of: release.version, at: now) == .counted)
    }
    #expect(try client.current(at: now).version == release.version)
    #expect(try client.report(bad, of: release.version, at: now) == .condemned(.markedOnly))
  }

  @Test("goes back to what booted here, before what is only newer", arguments: [true, false])
  func proven(signs: Bool) throws {
    let shop = try Shop()
    let proven = try shop.publish(1)
    let client = try shop.client(signs: signs)
    try client.report(.good, of: proven.version, at: now)
    let untried = try shop.publish(2)
    let bad = try shop.publish(3)
    for _ in 0..<2 { try client.report(.bad(reason: "it hangs"), of: bad.version, at: now) }
    #expect(try client.current(at: now).version == proven.version)
    #expect(try shop.catalog.pointer("cli")?.version == (signs ? proven : bad).version)
    #expect(try shop.catalog.quarantined("cli").map(\.version) == [bad.version])
    #expect(try shop.catalog.versions("cli").contains(untried.version))
  }

  @Test("tells the catalog of a bad release that it died before telling of")
  func unmarked() throws {
    let shop = try Shop()
    let good = try shop.publish(1)
    let bad = try shop.publish(2)
    var memory = ClientMemory()
    memory.bad = [bad.version.description]
    memory.unmarked = [bad.version.description: "2 of the last 2 boots failed"]
    try memory.save(to: shop.folder / "state.json")
    #expect(try shop.client(signs: true).current(at: now).version == good.version)
    #expect(try shop.catalog.quarantined("cli").map(\.version) == [bad.version])
    #expect(try shop.catalog.pointer("cli")?.version == good.version)
    #expect(try ClientMemory(from: shop.folder / "state.json").unmarked.isEmpty)
  }

  @Test("holds its lease in whichever process has the descriptor")
  func leaseOutlivesUs() throws {
    let shop = try Shop(isSigned: false)
    let release = try shop.publish(1)
    let machine = Process()
    machine.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    machine.arguments = ["cat"]
    let (input, output) = (Pipe(), Pipe())
    machine.standardInput = input
    machine.standardOutput = output
    do {
      // As a controller starts a machine: the descriptor is inherited, then the controller is gone.
      let lease = try shop.client().lease(at: now)
      machine.standardError = FileHandle(fileDescriptor: lease.descriptor.rawValue)
      try machine.run()
    }
    input.fileHandleForWriting.write(Data("ready".utf8))
    #expect(output.fileHandleForReading.readData(ofLength: 5) == Data("ready".utf8))
    #expect(shop.catalog.isLeased(release))
    try input.fileHandleForWriting.close()
    machine.waitUntilExit()
    #expect(!shop.catalog.isLeased(release))
  }

  @Test("makes overlays that QEMU accepts", .enabled(if: hasTool("qemu-img"), "no qemu-img"))
  func overlays() throws {
    let shop = try Shop(isSigned: false)
    try shop.publish(7)
    let client = try shop.client()
    let lease = try client.lease(at: now)
    let disk = shop.folder / "disk"
    let kind = try client.clone(lease, to: disk, fallback: .overlay)
    guard kind == .overlay else { return }  // this file system shares blocks
    let check = try runTool("qemu-img", ["check", "-f", "qcow2", disk.string])
    #expect(check.status == 0, "\(check.errors)\(check.output)")
    let compare = try runTool("qemu-img", ["compare", disk.string, lease.release.disk.string])
    #expect(compare.output.contains("Images are identical"), "\(compare.errors)")
    let large = try shop.folder.write("large", qcow2(size: 8 << 30, backing: "\(disk)"))
    #expect(try runTool("qemu-img", ["check", "-f", "qcow2", large.string]).status == 0)
  }

  @Test("copies where nothing else goes")
  func copies() throws {
    let shop = try Shop(isSigned: false)
    try shop.publish(7)
    let client = try shop.client()
    let lease = try client.lease(at: now)
    _ = try client.clone(lease, to: shop.folder / "disk")
    #expect(
      try ContentHash(ofFile: shop.folder / "disk") == lease.release.manifest.disk.sha256)
  }

  @Test(
    "says where a disk cannot share blocks", .enabled(if: canMountSmallDisks, "needs root, unshare")
  )
  func noReflink() throws {
    let shop = try Shop(isSigned: false)
    try shop.publish(7)
    let client = try shop.client()
    let other = try SmallDisk(size: 1 << 20)
    let disk = other.path.appending("disk")
    #expect(throws: NoReflink(disk: disk)) {
      try client.clone(try client.lease(at: now), to: disk, fallback: .reflink)
    }
    #expect(!FileManager.default.fileExists(atPath: disk.string))
  }
}
