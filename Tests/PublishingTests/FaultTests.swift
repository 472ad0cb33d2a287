import Foundation
import Model
import Publishing
import Support
import SystemPackage
import Testing

/// Breaks a publishing process at its system calls, one after the other, and looks what is left.
///
/// It shows what the death of a process or a failing call does, not what a power cut does.
@Suite(
  "A publish that is broken off",
  .enabled(if: hasTool("strace"), "strace is missing"),
  .enabled(if: canTrace, "tracing processes is not allowed here"))
struct FaultTests {
  /// A call of the program: the count-th `name`.
  struct Point: Sendable { var name: String, count: Int }

  @Test(
    "leaves the catalog whole, wherever it is killed or fails",
    .enabled(if: isLong, "set BUILD_SNAPSHOT_LONG_TESTS=1"),
    arguments: ["signal=KILL", "error=ENOSPC", "error=EIO"])
  func leavesTheCatalogWhole(fault: String) throws {
    let points = try self.points()
    #expect(points.count > 40)
    var counts = [Int32: Int]()
    for point in points { counts[try breakOff(at: point, fault), default: 0] += 1 }
    print("\(fault): \(points.count) points, runs by status \(counts.sorted { $0.key < $1.key })")
    #expect(fault.hasPrefix("signal") || (counts[1] ?? 0) > 10)
    #expect(fault.hasPrefix("signal") || (counts[3] ?? 0) > 0)
  }

  @Test("leaves the catalog whole when it is killed at a rename")
  func survivesAtRenames() throws {
    for point in try points() where point.name.hasPrefix("rename") {
      _ = try breakOff(at: point, "signal=KILL")
    }
  }

  /// Publishes once with a fault, checks the catalog, publishes again, checks again.
  ///
  /// - Returns: how the broken process ended.
  private func breakOff(at point: Point, _ fault: String) throws -> Int32 {
    let place = Comment(rawValue: "\(fault) at \(point.name) \(point.count)")
    let folder = try TemporaryFolder()
    let catalog = Catalog(store: folder / "store")
    let first = try catalog.publishSample().release
    let status = try runTool(
      "strace",
      [
        "-qq", "-o", "/dev/null", "-e", "trace=\(point.name)", "-e",
        "inject=\(point.name):\(fault):when=\(point.count)", program, catalog.store.string,
        "browser", "2",
      ]
    ).status
    let pointer = try #require(try catalog.pointer("browser"), place)
    let current = try #require(try catalog.current("browser"), place)
    #expect(pointer.manifest.sha256 == current.manifestHash, place)
    try catalog.checkFiles(of: current)
    #expect(pointer.generation == (current == first ? 1 : 2), place)
    switch status {
    case 0, 3: #expect(current != first, place)
    case 1: #expect(current == first, place)
    default: #expect(fault.hasPrefix("signal"), place)
    }
    let next = try catalog.publishSample(inputs: "next")
    #expect(next.release.version > current.version, place)
    // A generation that was prepared, and may have been seen before a power cut, is not used again.
    #expect(try #require(try catalog.pointer("browser")).generation > pointer.generation, place)
    #expect(try catalog.examine(isDeep: true) == [], place)
    return status
  }

  /// Every call of an undisturbed publish that changes or reads the store, or works on an open file.
  private func points() throws -> [Point] {
    let folder = try TemporaryFolder()
    let catalog = Catalog(store: folder / "store")
    try catalog.publishSample()
    let calls =
      "openat,write,fchmod,chmod,fsync,mkdir,rename,renameat,renameat2,symlink,flock,fcntl,readlink"
    let trace = folder / "trace"
    let result = try runTool(
      "strace",
      [
        "-qq", "-y", "-o", trace.string, "-e", "trace=\(calls)", program, catalog.store.string,
        "browser", "2",
      ])
    try #require(result.status == 0, "\(result)")
    var seen: [String: Int] = [:]
    var points: [Point] = []
    for line in try text(trace).split(separator: "\n") {
      let name = String(line.prefix { $0 != "(" })
      seen[name, default: 0] += 1
      if line.contains(catalog.store.string) {
        points.append(Point(name: name, count: seen[name] ?? 0))
      }
    }
    return points
  }

  /// The program beside the tests' own bundle.
  private var program: String { builtProgram("PublishOnce") }
}

@Suite("Many publishers, and small disks")
struct CrowdTests {
  @Test func twentyFourAtOnceGetAVersionEach() throws {
    let folder = try TemporaryFolder()
    let catalog = Catalog(store: folder / "store")
    let processes = try (1...24).map { number in
      let process = Process()
      process.executableURL = URL(fileURLWithPath: builtProgram("PublishOnce"))
      process.arguments = [catalog.store.string, "browser", "\(number)"]
      try process.run()
      return process
    }
    for process in processes {
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
    }
    #expect(try catalog.versions("browser").map(\.number) == Array(1...24))
    #expect(try catalog.pointer("browser")?.generation == 24)
    #expect(try catalog.examine(isDeep: true) == [])
  }

  @Test(
    "leave the old release when the disk is full",
    .enabled(if: canMountSmallDisks, "mounting a small disk needs root and unshare"))
  func fullDisk() throws {
    var statuses = Set<Int32>()
    // One release fits, a second one not at first, then nearly, then all of it.
    for kibibytes in stride(from: 100, through: 200, by: 4) {
      let disk = try SmallDisk(size: kibibytes << 10)
      let catalog = Catalog(store: disk.path.appending("store"))
      let first = try catalog.publishSample().release
      let result = try runTool(
        builtProgram("PublishOnce"), [catalog.store.string, "browser", "2"])
      let current = try #require(try catalog.current("browser"))
      try catalog.checkFiles(of: current)
      #expect((current == first) == (result.status != 0), "\(result)")
      if result.status != 0 { #expect(result.errors.contains("No space left on device")) }
      #expect(try catalog.examine(isDeep: true) == [])
      statuses.insert(result.status)
    }
    #expect(statuses == [0, 1])
  }
}

private let canTrace: Bool = {
  // Where ptrace is forbidden, strace fails.
  (try? runTool("strace", ["-qq", "-o", "/dev/null", "true"]).status) == 0
}()
