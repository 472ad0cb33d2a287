public import SystemPackage

/// A place where programs of an image run: its root, and nothing of the host that is not named here.
///
/// A command has its own mount, process, network, host name, IPC and cgroup namespaces; `/proc`,
/// `/dev`, `/sys`, `/tmp` and `/run` are fresh and go with it; its capabilities are those that dpkg
/// needs; a filter refuses system calls that no package needs. It ends when this program does.
public struct Sandbox: Sendable {
  /// A file or folder of the host that shows in the sandbox.
  public struct Bind: Sendable, Equatable {
    public var source: FilePath
    /// Absolute, in the root; made for the time of a command where it is missing.
    public var target: FilePath
    public var isReadOnly: Bool

    public init(_ source: FilePath, at target: FilePath, isReadOnly: Bool = true) {
      self.source = source
      self.target = target
      self.isReadOnly = isReadOnly
    }
  }

  /// The folder on the host that is `/` in the sandbox.
  public var root: FilePath
  public var binds: [Bind]
  public var hostname: String

  public init(root: FilePath, binds: [Bind] = [], hostname: String = "localhost") {
    self.root = root
    self.binds = binds
    self.hostname = hostname
  }

  static let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

  /// Runs a command and waits for its end; background processes that it leaves are killed then.
  ///
  /// - Parameter onLine: gets each line of either stream as it comes, without its end.
  /// - Throws: `IsolationFailure` when the command could not run, `CancellationError` when the task was cancelled
  ///   meanwhile. A command that fails is no error here: see the result.
  @discardableResult
  public func run(
    _ command: SandboxCommand, onLine: (@Sendable (String) -> Void)? = nil
  ) throws -> SandboxResult {
    let points = try MountPoints(for: self, hasNetwork: command.hasNetwork)
    defer { points.remove() }
    let process = try SandboxProcess.start(command, in: self)
    return try process.wait(for: command, onLine: onLine)
  }

  /// Gives this program's terminal to a shell in the root, and waits until the user leaves it.
  public func debugShell(environment: [String: String] = [:]) throws {
    let points = try MountPoints(for: self, hasNetwork: false)
    defer { points.remove() }
    try SandboxProcess.runOnTerminal(
      SandboxCommand(["/bin/sh", "-i"], environment: environment), in: self)
  }

  /// A command's whole environment, sorted.
  static func environment(of command: SandboxCommand) -> [String] {
    let fixed = ["PATH": path, "HOME": command.user.home, "LC_ALL": "C.UTF-8"]
    return fixed.merging(command.environment) { $1 }.map { "\($0)=\($1)" }.sorted()
  }

  /// The files to try for a command's program.
  static func programs(of command: SandboxCommand) -> [String] {
    guard let name = command.arguments.first, !name.contains("/") else {
      return Array(command.arguments.prefix(1))
    }
    return (command.environment["PATH"] ?? path).split(separator: ":").map { "\($0)/\(name)" }
  }
}
