public import Isolation
internal import SystemPackage

/// What dpkg and apt find wrong with the packages of a root; empty when all is well.
///
/// - Returns: lines such as `dpkg --verify: ??5?????? c /etc/motd`, in the order of the tools.
/// - Throws: `IsolationFailure` when a tool could not run.
///
/// Nothing in the root changes: apt keeps its cache in memory and takes no lock.
public func packageFindings(in sandbox: Sandbox) throws -> [String] {
  let root = try RootFolder(sandbox.root)
  var findings: [String] = []
  let apt = [
    "apt-get", "check", "-qq", "-o", "Debug::NoLocking=1", "-o", "Dir::Cache::pkgcache=",
    "-o", "Dir::Cache::srcpkgcache=",
  ]
  for (name, command) in [
    ("dpkg --audit", ["dpkg", "--audit"]), ("dpkg --verify", ["dpkg", "--verify"]),
    ("apt-get check", apt),
  ] {
    guard try root.status(of: FilePath("/usr/bin/\(command[0])")) != nil else { continue }
    let result = try sandbox.run(SandboxCommand(command))
    let lines = result.text.split(separator: "\n").map { "\(name): \($0)" }
    findings += lines
    if !result.isSuccess, lines.isEmpty { findings.append("\(name): \(result.ending)") }
  }
  return findings
}
