public import Isolation
internal import SystemPackage

/// What dpkg and apt find wrong with the packages of a root; empty when all is well.
///
/// - Parameter readsFiles: every file is read and compared with its package's sums. Not needed right
///   after `installPackages`, which looks at each file that was touched since it was unpacked.
/// - Returns: lines such as `dpkg --verify: ??5?????? c /etc/motd`, in the order of the tools.
/// - Throws: `IsolationFailure` when a tool could not run.
///
/// Nothing in the root changes: apt keeps its cache in memory and takes no lock.
public func packageFindings(in sandbox: Sandbox, readsFiles: Bool = true) throws -> [String] {
  let apt = [
    "apt-get", "check", "-qq", "-o", "Debug::NoLocking=1", "-o", "Dir::Cache::pkgcache=",
    "-o", "Dir::Cache::srcpkgcache=",
  ]
  return try dpkgFindings(["--audit"], in: sandbox)
    + (readsFiles ? dpkgFindings(["--verify"], in: sandbox) : [])
    + findings(of: apt, as: "apt-get check", in: sandbox)
}

/// What one of dpkg's checks finds.
func dpkgFindings(_ arguments: [String], in sandbox: Sandbox) throws -> [String] {
  try findings(
    of: ["dpkg"] + arguments, as: (["dpkg"] + arguments).joined(separator: " "), in: sandbox)
}

private func findings(
  of command: [String], as name: String, in sandbox: Sandbox
) throws -> [String] {
  let root = try RootFolder(sandbox.root)
  guard try root.status(of: FilePath("/usr/bin/\(command[0])")) != nil else { return [] }
  let result = try sandbox.run(SandboxCommand(command))
  let lines = result.text.split(separator: "\n").map { "\(name): \($0)" }
  return result.isSuccess || !lines.isEmpty ? lines : ["\(name): \(result.ending)"]
}
