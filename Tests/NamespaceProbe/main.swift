internal import Glibc
internal import Isolation
internal import SystemPackage

// What tests look at from outside: enters a namespace, then does as its arguments say.
//
//     NamespaceProbe ids              who we are inside
//     NamespaceProbe run ROOT COMMAND…  a command in a sandbox, with the host's /usr in it
//     NamespaceProbe shell ROOT       a shell there, on this terminal
//     NamespaceProbe raise SIGNAL     ends by a signal
do {
  if let status = try runInNamespace() { exit(status) }
  let arguments = Array(CommandLine.arguments.dropFirst())
  switch arguments.first {
  case "ids":
    print("user \(getuid()) group \(getgid()) groups \(getgroups(0, nil)) inside \(isInNamespace)")
  case "run" where arguments.count > 2:
    let sandbox = Sandbox(root: FilePath(arguments[1]), binds: [.init("/usr", at: "/usr")])
    let result = try sandbox.run(SandboxCommand(Array(arguments.dropFirst(2)))) { print($0) }
    guard case .exited(let status) = result.ending else {
      print(result.ending)
      exit(1)
    }
    exit(status)
  case "shell" where arguments.count == 2:
    let sandbox = Sandbox(root: FilePath(arguments[1]), binds: [.init("/usr", at: "/usr")])
    try sandbox.debugShell()
    print("terminal is ours: \(tcgetpgrp(0) == getpgrp())")
  case "raise" where arguments.count == 2:
    raise(Int32(arguments[1]) ?? SIGTERM)
  default:
    print("usage: NamespaceProbe ids | run ROOT COMMAND… | shell ROOT | raise SIGNAL")
    exit(64)
  }
} catch {
  print("error: \(error)")
  exit(1)
}
