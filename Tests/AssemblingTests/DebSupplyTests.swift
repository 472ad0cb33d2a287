import Content
import Foundation
import Model
import Support
import SystemPackage
import Testing

@testable import Assembling

@Suite("Debs that are made ready ahead of time", .enabled(if: hasTool("dpkg-deb"), "needs dpkg"))
struct DebSupplyTests {
  private let debs: LockedDebs
  private var folder: FilePath { debs.store.store.appending("debs") }

  init() throws {
    var maker = DebMaker()
    for number in 0..<6 {
      try maker.add("p\(number)", "mkdir -p usr; seq \((number + 1) * 1000) > usr/f\(number)")
    }
    debs = try LockedDebs(files: maker.debs)
  }

  /// The debs whose quick form is there.
  private var made: Set<String> {
    get throws {
      let files = try FileManager.default.subpathsOfDirectory(atPath: folder.string)
      return Set(
        debs.packages.filter { package in
          files.contains { $0.hasSuffix("/\(package.deb.sha256.hex)") }
        }.map(\.name))
    }
  }

  @Test("all that is expected is there when threads have ended; each is made once")
  func ahead() throws {
    let supply = DebSupply(debs.store, jobs: 3)
    let first = try supply.path(of: debs.packages[0])
    supply.expect([debs.packages, Array(debs.packages.dropFirst(3))])
    supply.workAhead()
    // Who asks meanwhile gets the one form, whoever makes it.
    let paths = try debs.packages.map { try supply.path(of: $0) }
    #expect(paths[0] == first)
    #expect(Set(paths).count == 6)
    supply.close()
    #expect(try made == Set(debs.packages.map(\.name)))
    #expect(
      try FileManager.default.subpathsOfDirectory(atPath: folder.string).filter {
        $0.hasSuffix(".part")
      }.isEmpty)
  }

  @Test("nothing is made ahead while all processors have work, nor with one thread")
  func held() throws {
    for jobs in [1, 4] {
      let supply = DebSupply(debs.store, jobs: jobs)
      _ = try supply.path(of: debs.packages[0])
      supply.expect([debs.packages])
      if jobs == 1 { supply.workAhead() }
      supply.close()
      #expect(try made == ["p0"])
    }
  }

  @Test("a damaged deb fails who asks for it and nobody else")
  func damage() throws {
    let bad = debs.packages[2]
    let file = URL(fileURLWithPath: debs.store.path(of: bad.deb.sha256).string)
    var bytes = try Data(contentsOf: file)
    bytes[bytes.count / 2] ^= 1
    try FileManager.default.removeItem(at: file)
    try bytes.write(to: file)
    let supply = DebSupply(debs.store, jobs: 2)
    defer { supply.close() }
    supply.expect([debs.packages])
    supply.workAhead()
    for package in debs.packages where package.name != bad.name {
      #expect(throws: Never.self) { try supply.path(of: package) }
    }
    let failure = #expect(throws: PackageFailure.self) { try supply.path(of: bad) }
    guard case .damaged(package: "p2", _)? = failure else {
      Issue.record("\(failure.map { "\($0)" } ?? "nothing")")
      return
    }
  }

  @Test("the quick form of a deb in many blocks of xz is that of one thread")
  func blocks() throws {
    var maker = DebMaker()
    try maker.add(
      "big", "mkdir usr; head -c 2000000 /dev/urandom > usr/noise; seq 100000 > usr/text")
    let debs = try LockedDebs(files: maker.debs)
    let package = debs.packages[0]
    let quick = QuickDebs(debs.store, leastParallelSize: 1 << 20)
    let one = try Data(contentsOf: URL(fileURLWithPath: quick.path(of: package).string))
    try FileManager.default.removeItem(atPath: quick.path(of: package).string)
    let path = try quick.path(of: package, threads: 3)
    #expect(path != debs.store.path(of: package.deb.sha256))
    #expect(try Data(contentsOf: URL(fileURLWithPath: path.string)) == one)
    // Told to stop, it leaves nothing half made.
    try FileManager.default.removeItem(atPath: path.string)
    #expect(throws: CancellationError.self) {
      try quick.path(of: package, threads: 3) { false }
    }
    let left = try FileManager.default.contentsOfDirectory(
      atPath: path.removingLastComponent().string)
    #expect(left.isEmpty, "\(left)")
  }
}
