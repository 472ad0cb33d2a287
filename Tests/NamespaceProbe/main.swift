internal import Glibc
internal import Isolation
internal import SystemPackage

// What tests look at from outside: enters a namespace, then does as its arguments say.
//
//     NamespaceProbe ids
//     NamespaceProbe run ROOT COMMAND…
do {
  if let status = try runInNamespace() { exit(status) }
  let arguments = Array(CommandLine.arguments.dropFirst())
  switch arguments.first {
  case "ids":
    print("user \(getuid()) group \(getgid()) groups \(getgroups(0, nil)) inside \(isInNamespace)")
  case "run" where arguments.count > 2:
    let command = SandboxCommand(Array(arguments.dropFirst(2)))
    let result = try Sandbox(root: FilePath(arguments[1])).run(command) { print($0) }
    print(result.ending)
  default:
    print("usage: NamespaceProbe ids | run ROOT COMMAND…")
    exit(64)
  }
} catch {
  print("error: \(error)")
  exit(1)
}
