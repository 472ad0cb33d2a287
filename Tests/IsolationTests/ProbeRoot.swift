import Foundation
import Support
import SystemPackage

@testable import Isolation

/// A root whose programs are the host's: its /usr shows in it.
struct ProbeRoot {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for name in ["bin", "sbin", "lib", "lib32", "lib64"] {
      try FileManager.default.createSymbolicLink(
        atPath: (folder / name).string, withDestinationPath: "usr/\(name)")
    }
    // Others than root may look inside, too.
    chmod(folder.path.string, 0o777)
  }

  var sandbox: Sandbox { Sandbox(root: folder.path, binds: [.init("/usr", at: "/usr")]) }

  /// Runs a line of shell and returns what it printed.
  func sh(_ line: String, _ change: (inout SandboxCommand) -> Void = { _ in }) throws
    -> SandboxResult
  {
    var command = SandboxCommand(["sh", "-c", line])
    change(&command)
    return try sandbox.run(command)
  }
}
