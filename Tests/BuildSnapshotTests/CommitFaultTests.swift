import Foundation
import Support
import SystemPackage
import Testing

/// The real program, broken off at every call by which it publishes.
///
/// Each call of a build that works below `staging/`, `images/` or on the fixed link is a point: it is the
/// process's last, or it fails once (EIO, ENOSPC), or from it on the disk stays full. A power cut is not
/// shown.
@Suite(
  "Publishing by the real program",
  .enabled(
    if: canBuild && hasTool("clang"), "needs root, clang and gpg, dpkg-deb, unshare, e2fsck"),
  .serialized)
struct CommitFaultTests {
  /// With `BUILD_SNAPSHOT_SWEEP=1` each point meets each fault, which takes half an hour; else one of them.
  /// `BUILD_SNAPSHOT_SWEEP=3/8` does the third of eight parts of it.
  private static let share = ProcessInfo.processInfo.environment["BUILD_SNAPSHOT_SWEEP"].map(
    Share.init)
  private static let isSweep = share != nil

  @Test(
    "keeps the catalog whole whatever call fails or is the last",
    .enabled(if: isLong, "set BUILD_SNAPSHOT_LONG_TESTS=1"))
  func sweep() async throws {
    let share = Self.share ?? Share("1")
    let tally = try await withThrowingTaskGroup(of: Tally.self) { lanes in
      for lane in share.lanes { lanes.addTask { try Self.sweep(lane: lane, of: share.lanesOfAll) } }
      return try await lanes.reduce(into: Tally()) { $0.add($1) }
    }
    print("publishing, \(share): \(tally)")
    #expect(tally.broken == [])
    for fault in FailingCalls.Fault.allCases {
      let hits = tally.outcomes[fault]?.values.reduce(0, +) ?? 0
      #expect(hits >= 40 / share.parts, "\(fault)")
    }
    if share.parts == 1 { #expect(tally.outcomes[.inputOutputError]?[.unconfirmed] ?? 0 > 0) }
  }

  /// Every `lanes`-th point, in a store of its own.
  private static func sweep(lane: Int, of lanes: Int) throws -> Tally {
    let publisher = try FaultyPublisher()
    let calls = try publisher.record()
    var tally = Tally(points: lane % 2 == 0 ? calls.count : 0)
    let faults = FailingCalls.Fault.allCases
    var writes = 0
    for (index, call) in calls.enumerated() {
      // The image is written by many calls that are alike.
      if call.contains(" pwrite ") {
        writes += 1
        if writes % 8 != 1 { continue }
      }
      guard index % lanes == lane else { continue }
      for fault in isSweep ? faults : [faults[(index / lanes) % faults.count]] {
        let place = "\(fault.rawValue) at \(call)"
        do {
          let before = publisher.generation
          let result = try publisher.build(fault, at: index + 1)
          let isHit = !publisher.calls.calls.isEmpty
          try publisher.check()
          let outcome = try Outcome(result, hasMoved: publisher.generation > before)
          if isHit { tally.outcomes[fault, default: [:]][outcome, default: 0] += 1 }
          // A build that comes to the next point has passed this one; often enough all of it is shown.
          if isSweep ? fault == faults[(index / lanes) % faults.count] : index % 8 < 2 {
            try publisher.publishNext()
            tally.clean += 1
          }
        } catch {
          tally.broken.append("\(place): \(error)")
        }
      }
    }
    try publisher.publishNext()
    tally.clean += 1
    return tally
  }

  @Test("says so with status 74 when a release is out and perhaps not on the disk")
  func unconfirmed() throws {
    let publisher = try FaultyPublisher()
    let world = publisher.world
    let calls = try publisher.record()
    let commit = try #require(
      calls.lastIndex { $0.hasSuffix("/latest.json") && $0.contains(" rename ") })
    let flush = try #require(calls[commit...].firstIndex { $0.contains(" fsync ") })
    let before = publisher.generation
    let result = try publisher.build(.inputOutputError, at: flush + 1)
    #expect(result.status == 74)
    #expect(
      result.errors.contains("is published, but it may not survive a power cut"),
      "\(result.errors)")
    try publisher.check()
    #expect(publisher.generation == before + 1)
    let record = try #require(
      try world.names(in: "runs").last { $0.hasSuffix("-tiny.json") })
    let text = try String(
      contentsOfFile: world.store.pushing(FilePath("runs/\(record)")).string, encoding: .utf8)
    #expect(text.contains("\"result\" : \"unconfirmed\"") && text.contains("\"exitStatus\" : 74"))

    let key = (world.folder / "key").string
    let repair = try world.program.run(
      "doctor", "--repair", "--key", key, "--store", world.store.string)
    #expect(repair.status == 0, "\(repair.errors)")
    let again = try publisher.repeatBuild()
    #expect(again.status == 0 && again.errors.contains("unchanged: tiny"), "\(again.errors)")
    try publisher.publishNext()
  }
}

/// How a build with a fault ended, and whether there is a new release.
enum Outcome: String, CaseIterable {
  case failed, published, unconfirmed
  case killedBefore = "killed before"
  case killedAfter = "killed after"

  /// - Throws: when status and catalog contradict each other.
  init(_ result: ToolResult, hasMoved: Bool) throws {
    switch (result.status, hasMoved) {
    case (0, true): self = .published
    case (1, false): self = .failed
    case (74, true): self = .unconfirmed
    case (-SIGKILL, true), (128 + SIGKILL, true): self = .killedAfter
    case (-SIGKILL, false), (128 + SIGKILL, false): self = .killedBefore
    default:
      throw BrokenPromise(
        what: "status \(result.status), \(hasMoved ? "a" : "no") new release: \(result.errors)")
    }
  }
}

/// Which part of all points a run of the sweep takes: two lanes, each with a store of its own.
private struct Share: CustomStringConvertible {
  let part: Int
  let parts: Int

  /// - Parameter text: `3/8`; all else is the whole.
  init(_ text: String) {
    let numbers = text.split(separator: "/").compactMap { Int($0) }
    let isPart = numbers.count == 2 && numbers[1] > 0 && (1...numbers[1]).contains(numbers[0])
    (part, parts) = isPart ? (numbers[0], numbers[1]) : (1, 1)
  }

  var lanes: Range<Int> { 2 * (part - 1)..<2 * part }
  var lanesOfAll: Int { 2 * parts }
  var description: String { "part \(part) of \(parts)" }
}

/// What came of all points.
private struct Tally: CustomStringConvertible {
  var points = 0
  var outcomes: [FailingCalls.Fault: [Outcome: Int]] = [:]
  /// Publications without a fault in between, each of which worked.
  var clean = 0
  var broken: [String] = []

  mutating func add(_ other: Tally) {
    points += other.points
    clean += other.clean
    broken += other.broken
    outcomes.merge(other.outcomes) { $0.merging($1, uniquingKeysWith: +) }
  }

  var description: String {
    let lines = FailingCalls.Fault.allCases.map { fault in
      let outcomes = self.outcomes[fault] ?? [:]
      let parts = Outcome.allCases.compactMap { outcome in
        outcomes[outcome].map { "\($0) \(outcome.rawValue)" }
      }
      return
        "\(fault.rawValue): \(outcomes.values.reduce(0, +)) hit, \(parts.joined(separator: ", "))"
    }
    return "\(points) calls; \(lines.joined(separator: "; ")); \(clean) publications after them; "
      + "\(broken.count) invariants broken"
  }
}
