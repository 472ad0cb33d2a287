internal import Foundation

/// Python with the outside judges: that of `scripts/install-judges`, else the system's.
private let python: String = {
  let judges = judgesFolder + "/bin/python3"
  return FileManager.default.isExecutableFile(atPath: judges) ? judges : "python3"
}()

/// Where `scripts/install-judges` puts its virtual environment.
private var judgesFolder: String {
  let environment = ProcessInfo.processInfo.environment
  if let folder = environment["BUILD_SNAPSHOT_JUDGES"] { return folder }
  let cache = environment["XDG_CACHE_HOME"] ?? "\(environment["HOME"] ?? "")/.cache"
  return cache + "/build-snapshot/judges"
}

/// Runs Python with the judges that `scripts/install-judges` installs.
public func runPython(_ arguments: [String]) throws -> ToolResult {
  try runTool(python, arguments, environment: ["PYTHONWARNINGS": "ignore"])
}

/// Whether a judge is there: the gate of tests that ask it.
public func hasPythonModule(_ name: String) -> Bool {
  // A machine without Python has no module either.
  (try? runPython(["-c", "import \(name)"]).status) == 0
}
