internal import Foundation

/// Whether tests run as root: the gate of tests that make devices, mounts or other users.
public let isRoot = geteuid() == 0

/// Whether slow tests shall run, too.
public let isLong = ProcessInfo.processInfo.environment["BUILD_SNAPSHOT_LONG_TESTS"] == "1"

/// Whether /bin is a link to /usr/bin here: the gate of tests that show the host's /usr in a root.
public let hasMergedUsr =
  (try? FileManager.default.destinationOfSymbolicLink(atPath: "/bin")) != nil

/// A program of this package, where the tests have been built.
public func builtProgram(_ name: String) -> String {
  let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
  let beside = URL(fileURLWithPath: program).deletingLastPathComponent().appendingPathComponent(
    name)
  if FileManager.default.isExecutableFile(atPath: beside.path) { return beside.path }
  // Where the tests are a library that another program loads.
  let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  return package.appendingPathComponent(".build/debug/\(name)").path
}
