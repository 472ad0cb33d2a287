internal import Glibc
internal import Isolation
internal import SystemPackage

// What tests look at from outside: enters a namespace, then does as its arguments say.
//
//     NamespaceProbe ids              who we are inside
//     NamespaceProbe run ROOT COMMAND…  a command in a sandbox, with the host's /usr in it
//     NamespaceProbe shell ROOT       a shell there, on this terminal
//     NamespaceProbe try ROOT USER:LINE…  lines of shell in a tree, each as a user by number; prints how
//                                     it ended and what it said, in one line each
//     NamespaceProbe within COMMAND…  a command of the host, as user 0 of the namespace
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
  case "try" where arguments.count > 2:
    let sandbox = Sandbox(root: FilePath(arguments[1]))
    for argument in arguments.dropFirst(2) {
      let parts = argument.split(separator: ":", maxSplits: 1)
      guard parts.count == 2, let id = UInt32(parts[0]) else { continue }
      let user = SandboxUser(uid: id, gid: id, home: id == 0 ? "/root" : "/home/agent")
      let result = try sandbox.run(
        SandboxCommand(["/bin/sh", "-c", String(parts[1])], user: user, timeLimit: .seconds(120)))
      let said = result.text.split(separator: "\n").joined(separator: " | ")
      print("\(result.ending): \(said)")
    }
  case "within" where arguments.count > 1:
    let words = arguments.dropFirst().map { strdup($0) } + [nil]
    if let program = words[0] { execvp(program, words) }
    perror(arguments[1])
    exit(127)
  case "raise" where arguments.count == 2:
    raise(Int32(arguments[1]) ?? SIGTERM)
  default:
    print("usage: NamespaceProbe ids | run … | shell … | try … | within … | raise …")
    exit(64)
  }
} catch {
  print("error: \(error)")
  exit(1)
}
