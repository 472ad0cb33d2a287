import Content
import Foundation
import Model
import Publishing
import Support
import SystemPackage
import Testing

/// A controller that is killed at each step of a swap.
///
/// Its steps are the calls by which it changes its folder, its database, what its client remembers and the
/// catalog, and those that start a machine. One machine is in use all the time.
@Suite(
  "A swap",
  .enabled(
    if: canRunMachines && hasTool("clang") && isLong,
    "needs python3, curl, clang and BUILD_SNAPSHOT_LONG_TESTS=1"),
  .serialized)
struct SwapFaultTests {
  /// With `BUILD_SNAPSHOT_SWEEP=1` every step, else some twenty of them.
  private static let isSweep = ProcessInfo.processInfo.environment["BUILD_SNAPSHOT_SWEEP"] == "1"

  /// A controller's world with one machine in use, and what the next controller's calls are told to.
  private func worldInUse() throws -> (
    ControllerWorld, first: Version, used: [String: String], FailingCalls
  ) {
    let world = try ControllerWorld(ready: 1)
    let first = try world.publish(1)
    try world.start()
    let used = try world.boot()
    world.killController()
    let calls = try FailingCalls(
      of: builtProgram("snapshot-controller"),
      on: [world.folder / "state", world.folder / "store"],
      changesOnly: true, in: world.folder)
    return (world, first, used, calls)
  }

  @Test("survives a controller that is killed at each of its calls")
  func killed() throws {
    let (world, first, used, calls) = try worldInUse()

    let second = try world.publish(2)
    #expect(try !isKilled(in: world, calls.environment(), unless: hasSwapped(to: second)))
    let steps = calls.calls
    try expectSwapped(world, to: second, first, used, "no fault")
    var kills = 0
    for number in stride(
      from: 1, through: steps.count, by: Self.isSweep ? 1 : max(1, steps.count / 20))
    {
      let version = try world.publish(UInt8(3 + number % 100))
      let isKilled = try isKilled(
        in: world, calls.environment(.kill, at: number), unless: hasSwapped(to: version))
      if isKilled { kills += 1 }
      try expectSwapped(world, to: version, first, used, "killed at \(steps[number - 1])")
    }
    print("swap: \(steps.count) calls, the controller was killed at \(kills) of them")
    #expect(kills >= min(15, steps.count))
  }

  @Test("back from a release that does not boot survives it, too")
  func goingBack() throws {
    let (world, first, used, calls) = try worldInUse()

    let bad = try world.publish(ControllerWorld.crash, end: 0)
    #expect(
      try !isKilled(in: world, calls.environment(), unless: hasGoneBack(world, to: first)))
    let steps = calls.calls
    try expectBack(world, from: bad, to: first, used, "no fault")
    var kills = 0
    for number in stride(
      from: 1, through: steps.count, by: Self.isSweep ? 1 : max(1, steps.count / 20))
    {
      let bad = try world.publish(ControllerWorld.crash, end: UInt8(number % 200 + 1))
      let isKilled = try isKilled(
        in: world, calls.environment(.kill, at: number), unless: hasGoneBack(world, to: first))
      if isKilled { kills += 1 }
      try expectBack(world, from: bad, to: first, used, "killed at \(steps[number - 1])")
    }
    print("back: \(steps.count) calls, the controller was killed at \(kills) of them")
    #expect(kills >= min(15, steps.count))
  }

  /// Expects that a new controller goes back, and that tonight's identical rebuild is refused.
  private func expectBack(
    _ world: ControllerWorld, from bad: Version, to good: Version, _ used: [String: String],
    _ place: String
  ) throws {
    #expect(try world.answers(used), "the machine in use lives on: \(place)")
    #expect(try world.start(), "\(place)")
    var known: [[String: String]] = []
    try world.eventually("\(bad) is given up: \(place); there are \(known)") {
      known = try world.machines()
      let others = known.filter { $0["id"] != used["id"] }
      return try world.catalog.pointer("tiny")?.version == good
        && world.catalog.quarantined("tiny").contains { $0.version == bad }
        && others.map { "\($0["version"] ?? "") \($0["state"] ?? "")" } == ["\(good) ready"]
    }
    try expectTidy(world, known, place)
    #expect(throws: CatalogFailure.self, "tonight's identical rebuild: \(place)") {
      let disk = try contents(of: world.catalog.release("tiny", bad).disk)
      try world.publish(ControllerWorld.crash, end: disk[disk.count - 1])
    }
    world.killController()
  }

  /// Expects that machines, processes and folders are the same, and nothing is left over.
  private func expectTidy(
    _ world: ControllerWorld, _ known: [[String: String]], _ place: String
  ) throws {
    #expect(world.machineProcesses.count == known.count, "\(place)")
    let folders = try FileManager.default.contentsOfDirectory(
      atPath: (world.folder / "state/vms").string)
    #expect(folders.sorted() == known.compactMap { $0["id"] }.sorted(), "\(place)")
    let state = try FileManager.default.contentsOfDirectory(atPath: (world.folder / "state").string)
    let own = ".\(world.controller?.processIdentifier ?? 0)."
    #expect(state.filter { $0.hasSuffix(".part") && !$0.contains(own) }.isEmpty, "\(place)")
    #expect(try world.catalog.examine(isDeep: true).isEmpty, "\(place)")
  }

  /// Starts a controller that has a new version to swap to, or one to go back from.
  ///
  /// - Parameter isDone: whether it is over, by the machines that the controller tells.
  /// - Returns: whether the controller died of it; if not, it is killed when it is over.
  private func isKilled(
    in world: ControllerWorld, _ environment: [String: String],
    unless isDone: ([[String: String]]) throws -> Bool
  ) throws -> Bool {
    let words = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    guard try world.start(behind: words) else {
      world.waitForController()
      return true
    }
    var isKilled = false
    try world.eventually("the controller is killed, or is done") {
      isKilled = world.controller?.isRunning != true
      if isKilled { return true }
      // A controller that was killed meanwhile answers nothing.
      return try isDone(world.ask("GET", "/api/vms").json as? [[String: String]] ?? [])
    }
    if isKilled { world.waitForController() } else { world.killController() }
    return isKilled
  }

  private func hasSwapped(
    to version: Version
  ) -> ([[String: String]]) -> Bool {
    { machines in
      machines.count == 2
        && machines.contains { $0["version"] == version.description && $0["state"] == "ready" }
    }
  }

  /// Whether the pointer is back, with one machine in use and one that stands ready.
  private func hasGoneBack(
    _ world: ControllerWorld, to version: Version
  ) -> ([[String: String]]) throws -> Bool {
    { machines in
      try world.catalog.pointer("tiny")?.version == version
        && machines.map { "\($0["version"] ?? "") \($0["state"] ?? "")" }
          == ["\(version) ready", "\(version) ready"]
    }
  }

  /// Expects that a new controller completes the swap, that the machine in use lives on with its image, and
  /// that no machine, folder or row is left over; then kills it.
  private func expectSwapped(
    _ world: ControllerWorld, to version: Version, _ first: Version, _ used: [String: String],
    _ place: String
  ) throws {
    #expect(try world.answers(used), "the machine in use lives on: \(place)")
    // Nobody listens in the dead one's place: a machine would keep its successor from the port.
    #expect(
      try runTool("curl", ["-s", "-m", "5", "http://127.0.0.1:\(world.port)/health"]).status == 7,
      "\(place)")
    #expect(world.catalog.isLeased(try world.catalog.release("tiny", first)), "\(place)")
    let gone = try world.catalog.collect(
      "tiny", Retention(keep: 1), at: Timestamp(seconds: 1_782_873_667)
    ).removed
    #expect(!gone.contains(first) && !gone.contains(version), "\(place)")
    #expect(try world.start(), "\(place)")
    var known: [[String: String]] = []
    try world.eventually(
      "only \(version) is ready besides the machine in use: \(place); there are \(known)"
    ) {
      known = try world.machines()
      let others = known.filter { $0["id"] != used["id"] }
      return others.map { "\($0["version"] ?? "") \($0["state"] ?? "")" } == ["\(version) ready"]
    }
    #expect(known.contains { $0["id"] == used["id"] && $0["state"] == "ready" }, "\(place)")
    #expect(try world.answers(used), "\(place)")
    try expectTidy(world, known, place)
    #expect(try world.catalog.pointer("tiny")?.version == version, "\(place)")
    world.killController()
  }
}
