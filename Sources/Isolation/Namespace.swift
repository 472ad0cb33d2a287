internal import CSandbox
internal import Glibc
internal import SystemPackage

/// The environment variable in which a program finds the name of the namespace made for it.
private let markerName = "BUILD_SNAPSHOT_NAMESPACE"

/// Runs the rest of the program as user 0 of a user namespace with ids from 0 to 65535.
///
/// Call it first in `main`:
///
///     if let status = try runInNamespace() { exit(status) }
///
/// The first call starts this program again, with the same arguments, in a new user and mount
/// namespace, hands signals on to it, waits, and returns its exit status (128 and the number for a
/// signal). In that second process the call returns nil. It dies with the first, whatever kills that.
///
/// A plain user needs ranges in `/etc/subuid` and `/etc/subgid`, and becomes user 0 of the
/// namespace; root keeps its ids. What a file's owner is inside is the same in both cases.
///
/// - Throws: `.obstacle` with the line that helps, when this machine does not allow it.
public func runInNamespace() throws(IsolationFailure) -> Int32? {
  if isInNamespace { return nil }
  let facts = NamespaceFacts.ofThisProcess()
  if let obstacle = facts.obstacle { throw .obstacle(obstacle) }
  var child = try startNamespace()
  defer {
    close(child.report)
    close(child.go)
    close(child.go_reader)
  }
  do throws(IsolationFailure) {
    try expectReport(CSANDBOX_WAITING, from: child, facts)
    try writeMaps(of: child.pid, facts)
    guard csandbox_namespace_go(&child) == 0 else {
      throw IsolationFailure.refused(operation: "start the namespace", code: errno)
    }
    try expectReport(nil, from: child, facts)
  } catch {
    kill(child.pid, SIGKILL)
    csandbox_wait(child.pid)
    throw error
  }
  let status = csandbox_supervise(child.pid)
  guard status >= 0 else { throw .refused(operation: "wait for the program", code: errno) }
  return exitStatus(of: status)
}

/// Whether this process runs as user 0 of the namespace that `runInNamespace` made for it.
///
/// The marker in the environment must name the namespace that we are in, and not the machine's own.
public var isInNamespace: Bool {
  guard let marker = getenv(markerName), geteuid() == 0 else { return false }
  let machine = "user:[4026531837]"  // PROC_USER_INIT_INO
  return target(ofLink: "/proc/self/ns/user") == String(cString: marker)
    && String(cString: marker) != machine
}

private func startNamespace() throws(IsolationFailure) -> csandbox_namespace {
  var variables: [UnsafeMutablePointer<CChar>?] = []
  var next = csandbox_environment()
  while let entry = next?.pointee {
    if strncmp(entry, markerName + "=", markerName.utf8.count + 1) != 0 { variables.append(entry) }
    next = next?.successor()
  }
  // Room for the namespace's name, which only the child learns.
  let marker = strdup(markerName + "=" + String(repeating: " ", count: 64))
  defer { free(marker) }
  guard let marker else { throw .refused(operation: "start the namespace", code: ENOMEM) }
  variables += [marker, nil]
  var child = csandbox_namespace()
  let code = csandbox_namespace_start(
    &child, CommandLine.unsafeArgv, variables, marker + markerName.utf8.count + 1)
  guard code == 0 else { throw .refused(operation: "start the namespace", code: errno) }
  return child
}

/// Reads what the child says next.
///
/// - Parameter kind: the report that must come, or nil for the end of reports: the program runs.
private func expectReport(
  _ kind: csandbox_report_kind?, from child: csandbox_namespace, _ facts: NamespaceFacts
) throws(IsolationFailure) {
  var report = csandbox_report()
  switch csandbox_read_report(child.report, &report) {
  case 0 where kind == nil: return
  case 1 where report.kind == kind.map({ Int32($0.rawValue) }): return
  case 1:
    let code = report.number
    throw .obstacle(
      facts.obstacle(
        after: operation(of: report), reason: message(of: code),
        isPermission: code == EPERM || code == EACCES))
  case 0: throw .killed(command: facts.program)
  default: throw .refused(operation: "hear from the namespace", code: errno)
  }
}

/// What a report says has failed.
func operation(of report: csandbox_report) -> String {
  withUnsafeBytes(of: report.operation) {
    String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
  }
}

private func writeMaps(of pid: pid_t, _ facts: NamespaceFacts) throws(IsolationFailure) {
  for (map, tool, file) in [
    (facts.userMap, "newuidmap", "uid_map"), (facts.groupMap, "newgidmap", "gid_map"),
  ] {
    if facts.isRoot {
      try writeMap(map, to: FilePath("/proc/\(pid)/\(file)"), facts)
    } else {
      guard let path = hostProgram(named: tool) else { throw .obstacle(.noMapProgram) }
      let numbers = map.flatMap { ["\($0.inside)", "\($0.outside)", "\($0.count)"] }
      let result = try outcome(of: path, ["\(pid)"] + numbers)
      guard result.status == 0 else {
        let reason = result.output.split(separator: "\n").joined(separator: ", ")
        throw .obstacle(.mapRefused(program: tool, reason: reason))
      }
    }
  }
}

/// Writes a map by one system call, as the kernel demands.
private func writeMap(
  _ map: [IDMapping], to path: FilePath, _ facts: NamespaceFacts
) throws(IsolationFailure) {
  let text = map.map { "\($0.inside) \($0.outside) \($0.count)\n" }.joined()
  do {
    let file = try FileDescriptor.open(path, .writeOnly, options: .closeOnExec)
    _ = try file.closeAfter { try Array(text.utf8).withUnsafeBytes { try file.write($0) } }
  } catch {
    throw .obstacle(
      facts.obstacle(after: "write '\(path)'", reason: "\(error)", isPermission: false))
  }
}
