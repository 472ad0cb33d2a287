import Content
import Foundation
import Model
import Publishing
import Support
import SystemPackage
import Testing

@Suite("Looking after releases")
struct UpkeepTests {
  let folder: TemporaryFolder
  let catalog: Catalog

  init() throws {
    folder = try TemporaryFolder()
    catalog = Catalog(store: folder / "store")
  }

  private var image: FilePath { folder / "store/images/browser" }

  /// Publishes so many releases with disks of their own.
  private func publish(_ count: Int) throws -> [Release] {
    try (1...count).map { number in
      try catalog.publishSample(
        inputs: "\(number)", disk: [UInt8](repeating: UInt8(number), count: 65536)
      ).release
    }
  }

  @Test func rollbackPointsToTheReleaseBeforeAndPutsTheOtherAside() throws {
    let releases = try publish(3)
    #expect(try catalog.rollback("browser", reason: "boots no more", at: sampleTime) == releases[1])
    let pointer = try #require(try catalog.pointer("browser"))
    #expect(pointer.generation == 4)
    #expect(pointer.version == releases[1].version)
    #expect(pointer.reason == .rollback)
    #expect(pointer.lastVersion == releases[2].version)
    #expect(try catalog.quarantined("browser").map(\.version) == [releases[2].version])
    #expect(try catalog.rollback("browser", reason: "nor this", at: sampleTime) == releases[0])
    #expect(
      throws: CatalogFailure.nothingToRollBackTo(image: "browser", from: releases[0].version)
    ) {
      try catalog.rollback("browser", reason: "nor that", at: sampleTime)
    }
  }

  @Test func aQuarantinedDiskIsNotPublishedAgainUntilLifted() throws {
    let releases = try publish(2)
    try catalog.rollback("browser", reason: "boots no more", at: sampleTime)
    let disk = [UInt8](repeating: 2, count: 65536)
    let failure = #expect(throws: CatalogFailure.self) {
      try catalog.publishSample(inputs: "others, but the same disk", disk: disk)
    }
    #expect(failure?.description.contains("in quarantine: boots no more") == true)
    #expect(throws: CatalogFailure.self) {
      try catalog.rollback("browser", to: releases[1].version, reason: "?", at: sampleTime)
    }
    try catalog.liftQuarantine("browser", releases[1].version)
    #expect(
      try catalog.publishSample(inputs: "2", disk: disk).release.version
        == Version(day: 20_260_701, number: 3))
  }

  @Test func theCurrentReleaseCannotBeQuarantined() throws {
    let releases = try publish(2)
    #expect(throws: CatalogFailure.isCurrent(image: "browser", releases[1].version)) {
      try catalog.quarantine("browser", releases[1].version, reason: "bad", at: sampleTime)
    }
    try catalog.quarantine("browser", releases[0].version, reason: "bad", at: sampleTime)
    #expect(throws: CatalogFailure.self) {
      try catalog.rollback("browser", reason: "bad too", at: sampleTime)
    }
  }

  @Test func aCollectionKeepsWhatItMust() throws {
    let releases = try publish(6)
    try catalog.pin("browser", releases[0].version, reason: "demo", at: sampleTime)
    let lease = try catalog.lease("browser", releases[1].version)
    let retention = Retention(keep: 1)
    let plan = try catalog.collect("browser", retention, at: sampleTime, isDryRun: true)
    #expect(try catalog.versions("browser").count == 6)
    let collection = try catalog.collect("browser", retention, at: sampleTime)
    #expect(plan == collection)
    #expect(collection.removed == [releases[2].version, releases[3].version])
    #expect(collection.kept.map(\.reason) == [.pinned, .leased, .previousGood, .current])
    #expect(listing(image.appending("trash")) == [])
    #expect(!FileManager.default.fileExists(atPath: releases[2].folder.string))
    withExtendedLifetime(lease) {}
  }

  @Test func youngReleasesStay() throws {
    let releases = try publish(3)
    let retention = Retention(keep: 1, minAge: 3600)
    let soon = Timestamp(seconds: sampleTime.seconds + 3599)
    #expect(try catalog.collect("browser", retention, at: soon).removed == [])
    let late = Timestamp(seconds: sampleTime.seconds + 3600)
    #expect(try catalog.collect("browser", retention, at: late).removed == [releases[0].version])
  }

  @Test func aVersionThatWasRemovedIsNotGivenAgain() throws {
    let releases = try publish(3)
    try catalog.rollback("browser", to: releases[0].version, reason: "bad", at: sampleTime)
    try catalog.quarantine("browser", releases[1].version, reason: "bad", at: sampleTime)
    _ = try catalog.collect("browser", Retention(keep: 1), at: sampleTime)
    #expect(try catalog.publishSample(inputs: "4").release.version.number == 4)
  }

  @Test func aLeaseLivesAsLongAsAnyProcessHoldsItsFile() throws {
    let releases = try publish(3)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/cat")
    let input = Pipe()
    process.standardInput = input
    do {
      let lease = try catalog.lease("browser", releases[0].version)
      // As a controller gives it to the machine's process: here as its standard error.
      process.standardError = FileHandle(
        fileDescriptor: dup(lease.descriptor.rawValue), closeOnDealloc: true)
      try process.run()
      process.standardError = nil
    }
    #expect(catalog.isLeased(releases[0]))
    #expect(try catalog.collect("browser", Retention(keep: 1), at: sampleTime).removed == [])
    try input.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  @Test func theOverviewSaysHowEachReleaseStands() throws {
    let releases = try publish(3)
    try catalog.rollback("browser", reason: "bad", at: sampleTime)
    try catalog.pin("browser", releases[0].version, reason: "demo", at: sampleTime)
    let lease = try catalog.lease("browser")
    let states = try catalog.overview("browser")
    #expect(states.map(\.release) == releases)
    #expect(states.map(\.isCurrent) == [false, true, false])
    #expect(states.map(\.isLeased) == [false, true, false])
    #expect(states.map { $0.pin?.reason } == ["demo", nil, nil])
    #expect(states.map { $0.quarantine?.reason } == [nil, nil, "bad"])
    #expect(states.allSatisfy { $0.published == sampleTime })
    withExtendedLifetime(lease) {}
  }

  @Test func leasesTheCurrentReleaseByDefault() throws {
    let releases = try publish(2)
    #expect(try catalog.lease("browser").release == releases[1])
    #expect(throws: CatalogFailure.noImage("other", store: folder / "store")) {
      try catalog.lease("other")
    }
  }

  @Test func linksElsewhereFollowThePointer() throws {
    let link = folder / "golden-rootfs.ext4"
    try publishAndFollow(link)
    try catalog.rollback("browser", reason: "bad", at: sampleTime)
    #expect(try Array(Data(contentsOf: URL(fileURLWithPath: link.string))).first == 1)
    try FileManager.default.removeItem(atPath: link.string)
    #expect(try catalog.examine().map(\.path) == [link])
    _ = try catalog.repair(at: sampleTime)
    #expect(try Array(Data(contentsOf: URL(fileURLWithPath: link.string))).first == 1)
  }

  private func publishAndFollow(_ link: FilePath) throws {
    _ = try publish(1)
    try catalog.follow("browser", with: [link])
    #expect(try Array(Data(contentsOf: URL(fileURLWithPath: link.string))).first == 1)
    _ = try catalog.publishSample(inputs: "2", disk: [UInt8](repeating: 2, count: 65536))
    #expect(try Array(Data(contentsOf: URL(fileURLWithPath: link.string))).first == 2)
  }
}
