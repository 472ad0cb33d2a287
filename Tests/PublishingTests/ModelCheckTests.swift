import Content
import Foundation
import Model
import Publishing
import Support
import Testing

/// What the catalog should hold, kept by the simplest means.
private struct Expected {
  var current: Version?
  var generation = 0
  var versions: [Version: [UInt8]] = [:]
  var highest = 0
  var pinned: Set<Version> = []
  /// Version and disk; the disks of releases that are gone count too.
  var quarantined: [Version: [UInt8]] = [:]

  func previousGood(before version: Version) -> Version? {
    versions.keys.filter { $0 < version && quarantined[$0] == nil }.max()
  }

  /// The versions that a collection removes.
  func removable(keep: Int, leased: Set<Version>) -> Set<Version> {
    guard let current else { return [] }
    let good = versions.keys.filter { quarantined[$0] == nil }.sorted()
    let recent = good.suffix(keep).first ?? current
    let stay = pinned.union(leased).union([current, previousGood(before: current) ?? current])
    return Set(versions.keys.filter { $0 < recent }).subtracting(stay)
  }
}

@Suite("The catalog under random use")
struct ModelCheckTests {
  /// Each seed plays 120 operations; after each of them catalog and model agree. Renewals in between make
  /// history long enough to be trimmed.
  @Test("does what the model says", arguments: isLong ? [1, 2, 3, 4] : [1] as [UInt64])
  func agreesWithTheModel(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let folder = try TemporaryFolder()
    let catalog = Catalog(store: folder / "store")
    var expected = Expected()
    var leases: [Lease] = []
    var counts: [String: Int] = [:]
    for step in 0..<120 {
      let some = expected.versions.keys.sorted().randomElement(using: &random)
      let operation = Int.random(in: 0..<11, using: &random)
      counts[Self.operations[max(0, operation - 2)], default: 0] += 1
      switch operation {
      case 0...2:
        let disk = [UInt8](repeating: UInt8.random(in: 0...6, using: &random), count: 65536)
        publish(disk, step, to: catalog, &expected)
      case 3: rollback(to: Bool.random(using: &random) ? some : nil, in: catalog, &expected)
      case 4:
        guard let some else { continue }
        try catalog.pin("browser", some, reason: "test", at: sampleTime)
        expected.pinned.insert(some)
      case 5:
        guard let some = expected.pinned.sorted().randomElement(using: &random) else { continue }
        try catalog.unpin("browser", some)
        expected.pinned.remove(some)
      case 6:
        guard let some, some != expected.current else { continue }
        try catalog.quarantine("browser", some, reason: "test", at: sampleTime)
        expected.quarantined[some] = expected.versions[some]
        guard let lifted = expected.quarantined.keys.sorted().randomElement(using: &random),
          Bool.random(using: &random)
        else { continue }
        try catalog.liftQuarantine("browser", lifted)
        expected.quarantined[lifted] = nil
      case 7:
        guard let some else { continue }
        leases.append(try catalog.lease("browser", some))
      case 8:
        if let index = leases.indices.randomElement(using: &random) { leases.remove(at: index) }
      case 9:
        guard expected.current != nil else { continue }
        for round in 1...12 {
          let now = Timestamp(seconds: sampleTime.seconds + 10_000 * step + 100 * round)
          #expect(try catalog.renew("browser", at: now, expires: 10))
        }
        expected.generation += 12
      default:
        let keep = Int.random(in: 1...4, using: &random)
        let gone = expected.removable(keep: keep, leased: Set(leases.map(\.release.version)))
        let collection = try catalog.collect("browser", Retention(keep: keep), at: sampleTime)
        #expect(Set(collection.removed) == gone)
        counts["releases removed", default: 0] += gone.count
        let history = try FileManager.default.contentsOfDirectory(
          atPath: (folder / "store/images/browser/history").string)
        #expect(history.count <= 100 + expected.versions.count)
        for version in gone {
          expected.versions[version] = nil
        }
      }
      try agree(catalog, expected, leases)
    }
    #expect(try catalog.examine(isDeep: true) == [])
    let text = counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
    print("random use \(seed): \(text.joined(separator: ", "))")
  }

  private static let operations = [
    "publish", "rollback", "pin", "unpin", "quarantine", "lease", "end of a lease", "12 renewals",
    "gc",
  ]

  private func publish(
    _ disk: [UInt8], _ step: Int, to catalog: Catalog, _ expected: inout Expected
  ) {
    let isBad = expected.quarantined.values.contains(disk)
    do {
      let release = try catalog.publishSample(inputs: "\(step)", disk: disk).release
      #expect(!isBad)
      expected.highest += 1
      #expect(release.version.number == expected.highest)
      expected.versions[release.version] = disk
      expected.current = release.version
      expected.generation += 1
    } catch {
      #expect(isBad, "\(error)")
    }
  }

  private func rollback(to target: Version?, in catalog: Catalog, _ expected: inout Expected) {
    guard let current = expected.current else { return }
    let version = target ?? expected.previousGood(before: current)
    let isPossible = version.map { $0 == current || expected.quarantined[$0] == nil } ?? false
    do {
      let release = try catalog.rollback("browser", to: target, reason: "test", at: sampleTime)
      #expect(isPossible && release.version == version)
      if release.version == current { return }
      expected.quarantined[current] = expected.versions[current]
      expected.current = release.version
      expected.generation += 1
    } catch {
      #expect(!isPossible, "\(error)")
    }
  }

  private func agree(_ catalog: Catalog, _ expected: Expected, _ leases: [Lease]) throws {
    guard let current = expected.current else { return }
    let pointer = try #require(try catalog.pointer("browser"))
    #expect(pointer.version == current)
    #expect(pointer.generation == expected.generation)
    #expect(try catalog.versions("browser") == expected.versions.keys.sorted())
    #expect(try catalog.pins("browser").map(\.version) == expected.pinned.sorted())
    #expect(
      try catalog.quarantined("browser").map(\.version) == expected.quarantined.keys.sorted())
    for lease in leases {
      #expect(FileManager.default.fileExists(atPath: lease.release.disk.string))
    }
  }
}
