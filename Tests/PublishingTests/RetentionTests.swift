import Foundation
import Model
import Publishing
import Support
import SystemPackage
import Testing

/// What a collection leaves of the past, and how an ageing pointer is renewed.
@Suite("Retention")
struct RetentionTests {
  let folder: TemporaryFolder
  let catalog: Catalog

  init() throws {
    folder = try TemporaryFolder()
    catalog = Catalog(store: folder / "store")
  }

  private var pointers: [String] {
    get throws {
      try FileManager.default.contentsOfDirectory(
        atPath: (folder / "store/images/browser/history").string
      ).sorted()
    }
  }

  @Test("trims history to the newest hundred pointers and the first of each version that is there")
  func trimming() throws {
    let releases = try (1...3).map { number in
      try catalog.publishSample(
        inputs: "\(number)", disk: [UInt8](repeating: UInt8(number), count: 65536),
        at: Timestamp(seconds: sampleTime.seconds + number)
      ).release
    }
    // Each renewal is a pointer of its own.
    for number in 1...110 {
      let now = Timestamp(seconds: sampleTime.seconds + 1000 * number)
      #expect(try catalog.renew("browser", at: now, expires: 100))
    }
    #expect(try pointers.count == 113)
    let before = try catalog.overview("browser")
    let generation = try #require(try catalog.pointer("browser")).generation

    try catalog.pin("browser", releases[0].version, reason: "demo", at: sampleTime)
    _ = try catalog.collect("browser", Retention(keep: 1), at: sampleTime)
    // The second goes nowhere: it is the previous good one.
    #expect(try catalog.versions("browser") == releases.map(\.version))
    #expect(try pointers.count == 103)
    #expect(try pointers.prefix(3) == ["00000001.json", "00000002.json", "00000003.json"])
    #expect(try pointers.last == "00000113.json")
    #expect(try catalog.overview("browser").map(\.published) == before.map(\.published))
    // No generation is given again.
    let next = try catalog.publishSample(inputs: "next", disk: [UInt8](repeating: 9, count: 65536))
    #expect(try #require(try catalog.pointer("browser")).generation == generation + 1)
    #expect(next.release.version.number == 4)

    // What went with a version that is gone.
    try catalog.unpin("browser", releases[0].version)
    let later = Timestamp(seconds: sampleTime.seconds + 10)
    let gone = try catalog.collect("browser", Retention(keep: 1), at: later).removed
    #expect(gone == [releases[0].version, releases[1].version])
    #expect(try !pointers.contains("00000001.json") && !pointers.contains("00000002.json"))
    #expect(try pointers.contains("00000003.json"))
    #expect(try catalog.examine(isDeep: true) == [])
  }

  @Test("renews a pointer once a quarter of its time is gone, and not before")
  func renewal() throws {
    let release = try catalog.publishSample().release
    func at(_ seconds: Int) -> Timestamp { Timestamp(seconds: sampleTime.seconds + seconds) }
    #expect(try catalog.renew("browser", at: at(0), expires: 1000), "it had no end")
    #expect(try !catalog.renew("browser", at: at(250), expires: 1000))
    #expect(try catalog.renew("browser", at: at(251), expires: 1000))
    let pointer = try #require(try catalog.pointer("browser"))
    #expect(pointer.generation == 3 && pointer.version == release.version)
    #expect(pointer.reason == .renewal && pointer.expires == at(1251))
    let trust = Trust(keys: [], seen: 2)
    #expect(try catalog.trusted("browser", trust, at: at(1251)).release == release)
    #expect(throws: TrustFailure.expired(image: "browser", at(1251))) {
      try catalog.trusted("browser", trust, at: at(1252))
    }
    // Renewed after its end, it is trusted again; without an end it stays as it is.
    #expect(try catalog.renew("browser", at: at(5000), expires: 1000))
    #expect(try catalog.trusted("browser", trust, at: at(5000)).release == release)
    #expect(try catalog.renew("browser", at: at(5001), expires: nil))
    #expect(try !catalog.renew("browser", at: at(9_999_999), expires: nil))
  }

  @Test("renews with another key at once")
  func otherKey() throws {
    let (old, new) = (SigningKey.generate(), SigningKey.generate())
    let store = folder / "store"
    try Catalog(store: store, key: old).publishSample()
    #expect(try !Catalog(store: store, key: old).renew("browser", at: sampleTime, expires: nil))
    #expect(try Catalog(store: store, key: new).renew("browser", at: sampleTime, expires: nil))
    let trust = Trust(keys: [new.publicKey], seen: 1)
    #expect(
      try Catalog(store: store).trusted("browser", trust, at: sampleTime).pointer.generation == 2)
  }
}
