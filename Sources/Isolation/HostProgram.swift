internal import CSandbox
internal import Glibc
internal import SystemPackage

/// Runs a program of the host and waits; both its streams come back as one text.
func outcome(
  of program: FilePath, _ arguments: [String]
) throws(IsolationFailure) -> (status: Int32, output: String) {
  var ends: [Int32] = [0, 0]
  guard csandbox_pipe(&ends) == 0 else {
    throw .refused(operation: "make a pipe", code: errno)
  }
  let reader = FileDescriptor(rawValue: ends[0])
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
  posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
  var pid: pid_t = 0
  let code = withCStrings([program.string] + arguments) { words in
    withCStrings(["LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin:/usr/sbin:/sbin"]) { variables in
      posix_spawn(&pid, program.string, &actions, nil, words, variables)
    }
  }
  close(ends[1])
  defer { close(ends[0]) }
  guard code == 0 else { throw .refused(operation: "run '\(program)'", code: code) }
  // What cannot be read is missing from a message only; the status decides.
  let output = (try? bytes(from: reader)) ?? []
  var status: Int32 = 0
  while waitpid(pid, &status, 0) < 0 {
    guard errno == EINTR else { throw .refused(operation: "wait for '\(program)'", code: errno) }
  }
  return (exitStatus(of: status), String(decoding: output, as: UTF8.self))
}

/// A wait status as shells show it: the exit status, or 128 and the signal's number.
func exitStatus(of status: Int32) -> Int32 {
  let signal = status & 0x7F
  return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
}

/// Calls `body` with texts as C has them, with NULL at the end.
func withCStrings<Result>(
  _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
  let pointers = texts.map { strdup($0) }
  defer { for pointer in pointers { free(pointer) } }
  return body(pointers + [nil])
}
