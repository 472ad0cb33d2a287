import Content
import Foundation
import Model
import Publishing
import Support
import SystemPackage
import Testing

@Suite("The catalog")
struct CatalogTests {
  let folder: TemporaryFolder
  let catalog: Catalog

  init() throws {
    folder = try TemporaryFolder()
    catalog = Catalog(store: folder / "store")
  }

  private var image: FilePath { folder / "store/images/browser" }

  @Test func publishesReadOnlyAndPointsThere() throws {
    let publication = try catalog.publishSample()
    guard case .published(let release) = publication else { throw Unexpected.publication }
    #expect(release.version.description == "20260701.001")
    #expect(release.folder == image.appending("20260701.001"))
    #expect(try Array(Data(contentsOf: URL(fileURLWithPath: release.disk.string))) == sampleDisk)
    #expect(try catalog.current("browser") == release)
    #expect(
      listing(release.folder) == ["manifest.json", "packages.txt", "recipe.lock", "rootfs.ext4"])
    #expect(try mode(release.folder) == 0o555)
    for name in listing(release.folder) {
      #expect(try mode(release.folder.appending(name)) == 0o444)
    }
    #expect(try target(image.appending("latest")) == "20260701.001")
    #expect(listing(folder / "store/staging") == [])
    #expect(release.manifest.documents.map(\.file) == ["packages.txt", "recipe.lock"])
  }

  @Test func numbersVersionsAndGenerationsUpward() throws {
    for number in 1...3 {
      let release = try catalog.publishSample(inputs: "\(number)").release
      #expect(release.version.number == number)
      #expect(release.manifest.image.sequence == number)
      #expect(try catalog.pointer("browser")?.generation == number)
    }
    let releases = try catalog.releases("browser")
    #expect(releases.map(\.version.number) == [1, 2, 3])
    #expect(releases[2].manifest.lineage.previous?.manifestSha256 == releases[1].manifestHash)
  }

  @Test func makesNoVersionForEqualInputs() throws {
    let first = try catalog.publishSample().release
    #expect(try catalog.publishSample() == .unchanged(first))
    #expect(try catalog.versions("browser").count == 1)
    #expect(listing(folder / "store/staging") == [])
  }

  @Test func keepsTheDayWhenTheClockGoesBack() throws {
    try catalog.publishSample(inputs: "1")
    let earlier = Timestamp(seconds: sampleTime.seconds - 10 * 86400)
    let second = try catalog.publishSample(inputs: "2", at: earlier).release
    #expect(second.version.description == "20260701.002")
    let later = Timestamp(seconds: sampleTime.seconds + 86400)
    let third = try catalog.publishSample(inputs: "3", at: later).release
    #expect(third.version.description == "20260702.001")
  }

  @Test func givesTheVersionThatIsAskedForIfItIsNew() throws {
    let asked = try #require(Version("20260801.007"))
    #expect(try catalog.publishSample(version: asked).release.version == asked)
    #expect(throws: CatalogFailure.versionTaken(image: "browser", asked, last: asked)) {
      try catalog.publishSample(inputs: "2", version: asked)
    }
  }

  @Test func saysWhenADayHasNoNumbersLeft() throws {
    try catalog.publishSample(version: Version(day: 20_260_701, number: 999))
    #expect(throws: CatalogFailure.versionsExhausted(image: "browser", day: 20_260_701)) {
      try catalog.publishSample(inputs: "2")
    }
  }

  @Test func refusesADiskOfAnotherSize() throws {
    let staging = try catalog.stage("browser")
    try Data([1, 2, 3]).write(to: URL(fileURLWithPath: staging.disk.string))
    #expect(throws: CatalogFailure.self) {
      try catalog.publish(staging, sampleManifest(), at: sampleTime)
    }
    #expect(try catalog.current("browser") == nil)
  }

  @Test func movesADiskInWithoutACopy() throws {
    let staging = try catalog.stage("browser")
    let file = try folder.write("image", sampleDisk)
    let inode = try self.inode(file)
    try staging.add(movingDisk: file)
    let release = try catalog.publish(staging, sampleManifest(), at: sampleTime).release
    #expect(try self.inode(release.disk) == inode)
  }

  @Test func removesWhatIsNotPublished() throws {
    do {
      let staging = try catalog.stage("browser")
      try Data(sampleDisk).write(to: URL(fileURLWithPath: staging.disk.string))
      #expect(!listing(folder / "store/staging").isEmpty)
    }
    #expect(listing(folder / "store/staging") == [])
  }

  @Test func sweepsTheStagingOfTheDeadOnly() throws {
    let alive = try catalog.stage("browser")
    try folder.write("store/staging/browser-dead/rootfs.ext4", sampleDisk)
    let other = try catalog.stage("other")
    #expect(
      listing(folder / "store/staging")
        == [alive.path, other.path].compactMap { $0.lastComponent?.string }.sorted())
  }

  @Test func removesAReleaseThatWasNeverCommitted() throws {
    try catalog.publishSample(inputs: "1")
    try folder.write("store/images/browser/20260701.002/rootfs.ext4", "half")
    chmod((image.appending("20260701.002")).string, 0o555)
    #expect(try catalog.versions("browser").map(\.number) == [1])
    #expect(try catalog.publishSample(inputs: "2").release.version.number == 2)
    #expect(try catalog.versions("browser").map(\.number) == [1, 2])
  }

  @Test func mendsALinkThatLags() throws {
    try catalog.publishSample(inputs: "1")
    try catalog.publishSample(inputs: "2")
    unlink(image.appending("latest").string)
    symlink("20260701.001", image.appending("latest").string)
    #expect(try catalog.publishSample(inputs: "2").release.version.number == 2)
    #expect(try target(image.appending("latest")) == "20260701.002")
  }

  @Test func neverRepeatsAGenerationAfterItsPointerWasLost() throws {
    try catalog.publishSample(inputs: "1")
    try catalog.publishSample(inputs: "2")
    unlink(image.appending("latest.json").string)
    try catalog.publishSample(inputs: "3")
    let pointer = try #require(try catalog.pointer("browser"))
    #expect(pointer.generation == 3)
    #expect(pointer.version.number == 3)
  }

  @Test func publishesTheSameFromManyThreads() async throws {
    let catalog = catalog
    let versions = try await withThrowingTaskGroup(of: Version.self) { group in
      for number in 1...8 {
        group.addTask { try catalog.publishSample(inputs: "\(number)").release.version }
      }
      return try await group.reduce(into: Set<Version>()) { $0.insert($1) }
    }
    #expect(versions.count == 8)
    #expect(try catalog.pointer("browser")?.generation == 8)
  }

  @Test(arguments: ["", "..", ".hidden", "Upper", "a/b", String(repeating: "a", count: 65)])
  func refusesNamesThatAreNone(name: String) {
    #expect(throws: CatalogFailure.invalidName(name)) { try catalog.stage(name) }
  }

  @Test func saysWhichReleasesThereAre() throws {
    #expect(throws: CatalogFailure.noImage("browser", store: folder / "store")) {
      try catalog.release("browser", Version(day: 20_260_701, number: 1))
    }
    try catalog.publishSample()
    let missing = Version(day: 20_260_702, number: 1)
    let failure = #expect(throws: CatalogFailure.self) {
      try catalog.release("browser", missing)
    }
    #expect(failure?.description == "no release 'browser@20260702.001'; there are 20260701.001")
  }

  @Test func namesADamagedPointer() throws {
    try catalog.publishSample()
    try folder.write("store/images/browser/broken", "{ \"generation\" : \"x\" }")
    rename(
      image.appending("broken").string, image.appending("latest.json").string)
    let failure = #expect(throws: CatalogFailure.self) { try catalog.current("browser") }
    #expect(failure?.description.contains("latest.json' is damaged") == true)
  }

  private func mode(_ path: FilePath) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path.string)
    return try #require(attributes[.posixPermissions] as? NSNumber).intValue
  }

  private func inode(_ path: FilePath) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path.string)
    return try #require(attributes[.systemFileNumber] as? NSNumber).intValue
  }

  private func target(_ path: FilePath) throws -> String {
    try FileManager.default.destinationOfSymbolicLink(atPath: path.string)
  }

  private enum Unexpected: Error { case publication }
}
