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

  @Test("survives a controller that is killed at each of its calls")
  func killed() throws {
    let world = try ControllerWorld(ready: 1)
    let first = try world.publish(1)
    try world.start()
    let used = try world.boot()
    world.killController()
    let calls = try FailingCalls(
      of: builtProgram("snapshot-controller"),
      on: [world.folder / "state", world.folder / "store"],
      changesOnly: true, in: world.folder)

    #expect(try !isKilled(in: world, at: world.publish(2), calls.environment()))
    let steps = calls.calls
    try expectSwapped(world, to: world.catalog.versions("tiny").last, first, used, "no fault")
    var kills = 0
    for number in stride(
      from: 1, through: steps.count, by: Self.isSweep ? 1 : max(1, steps.count / 20))
    {
      let version = try world.publish(UInt8(3 + number % 100))
      if try isKilled(in: world, at: version, calls.environment(.kill, at: number)) { kills += 1 }
      try expectSwapped(world, to: version, first, used, "killed at \(steps[number - 1])")
    }
    print("swap: \(steps.count) calls, the controller was killed at \(kills) of them")
    #expect(kills >= min(15, steps.count))
  }

  /// Starts a controller that has a new version to swap to.
  ///
  /// - Returns: whether it died of it; if not, it is killed when it has swapped.
  private func isKilled(
    in world: ControllerWorld, at version: Version, _ environment: [String: String]
  ) throws -> Bool {
    let words = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    guard try world.start(behind: words) else {
      world.waitForController()
      return true
    }
    var isKilled = false
    try world.eventually("killed or swapped") {
      isKilled = world.controller?.isRunning != true
      if isKilled { return true }
      // A controller that was killed meanwhile answers nothing.
      let machines = try world.ask("GET", "/api/vms").json as? [[String: String]] ?? []
      return machines.count == 2
        && machines.contains { $0["version"] == version.description && $0["state"] == "ready" }
    }
    if isKilled { world.waitForController() } else { world.killController() }
    return isKilled
  }

  /// Expects that a new controller completes the swap, that the machine in use lives on with its image, and
  /// that no machine, folder or row is left over; then kills it.
  private func expectSwapped(
    _ world: ControllerWorld, to version: Version?, _ first: Version, _ used: [String: String],
    _ place: String
  ) throws {
    let version = try #require(version)
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
    #expect(world.machineProcesses.count == known.count, "\(place)")
    let folders = try FileManager.default.contentsOfDirectory(
      atPath: (world.folder / "state/vms").string)
    #expect(folders.sorted() == known.compactMap { $0["id"] }.sorted(), "\(place)")
    let state = try FileManager.default.contentsOfDirectory(atPath: (world.folder / "state").string)
    #expect(!state.contains { $0.hasSuffix(".part") }, "\(place)")
    #expect(try world.catalog.pointer("tiny")?.version == version, "\(place)")
    #expect(try world.catalog.examine(isDeep: true).isEmpty, "\(place)")
    world.killController()
  }
}
