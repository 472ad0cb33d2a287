internal import CTerminal
internal import Glibc

/// What is open to a child that has just been started: our ends of its streams.
struct Spawned {
  let id: pid_t
  let mark: String
  /// The terminal's master side, or our end of the pipe to standard input.
  let input: Descriptor
  /// Our end of standard output; nil for a terminal, whose `input` is both.
  let output: Descriptor?
  let errors: Descriptor?
}

/// Starts a command in a new session, with default signals and no descriptor but its three streams.
///
/// No Swift runs between fork and exec: `posix_spawn` does it all. The session begins before the file
/// actions, so that opening the terminal as standard input makes it the controlling terminal.
func spawn(_ command: Command) throws(TerminalFailure) -> Spawned {
  let mark = String(UInt64.random(in: 1...UInt64.max), radix: 16)
  var environment = command.environment
  environment[Family.variable] = mark
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }

  let input: Descriptor
  var output: Descriptor?
  var errors: Descriptor?
  // The child's ends, open until it has been started.
  var childEnds: [Descriptor] = []
  switch command.streams {
  case .terminal(let size):
    environment["TERM"] = environment["TERM"] ?? "xterm-256color"
    var path = [CChar](repeating: 0, count: 128)
    let master = cterminal_open(&path, path.count, size.rows, size.columns)
    guard master >= 0 else { throw .failed(operation: "open a pseudo-terminal", code: errno) }
    input = Descriptor(adopting: master)
    posix_spawn_file_actions_addopen(&actions, 0, path, O_RDWR, 0)
    posix_spawn_file_actions_adddup2(&actions, 0, 1)
    posix_spawn_file_actions_adddup2(&actions, 0, 2)
  case .pipes:
    let toChild = try Pipe.open()
    let fromChild = try Pipe.open()
    let complaints = try Pipe.open()
    posix_spawn_file_actions_adddup2(&actions, toChild.reading.number, 0)
    posix_spawn_file_actions_adddup2(&actions, fromChild.writing.number, 1)
    posix_spawn_file_actions_adddup2(&actions, complaints.writing.number, 2)
    toChild.writing.stopBlocking()
    fromChild.reading.stopBlocking()
    complaints.reading.stopBlocking()
    input = toChild.writing
    output = fromChild.reading
    errors = complaints.reading
    childEnds = [toChild.reading, fromChild.writing, complaints.writing]
  }
  if let folder = command.folder { _ = cterminal_start_in(&actions, folder) }
  _ = cterminal_close_from(&actions, 3)

  let (program, arguments) = try words(of: command)
  var child = pid_t()
  let variables = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
  var attributes = freshSession()
  defer { posix_spawnattr_destroy(&attributes) }
  let code = withExtendedLifetime(childEnds) {
    withStrings(arguments) { arguments in
      withStrings(variables) { posix_spawn(&child, program, &actions, &attributes, arguments, $0) }
    }
  }
  guard code == 0 else { throw .failed(operation: "start '\(command.program)'", code: code) }
  return Spawned(id: child, mark: mark, input: input, output: output, errors: errors)
}

/// A session of its own, no blocked signal, and every signal at its default.
private func freshSession() -> posix_spawnattr_t {
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  var signals = sigset_t()
  sigemptyset(&signals)
  posix_spawnattr_setsigmask(&attributes, &signals)
  sigfillset(&signals)
  posix_spawnattr_setsigdefault(&attributes, &signals)
  let setSession = 0x80  // POSIX_SPAWN_SETSID, which the C library hides behind a feature macro
  posix_spawnattr_setflags(
    &attributes, Int16(setSession | Int(POSIX_SPAWN_SETSIGMASK) | Int(POSIX_SPAWN_SETSIGDEF)))
  return attributes
}

/// The program's path and all arguments, the name included; a control group is entered by a shell that
/// then becomes the program, so that not even the first fork happens outside the group.
private func words(of command: Command) throws(TerminalFailure) -> (String, [String]) {
  let program = try lookUp(command.program, path: command.environment["PATH"])
  guard let group = command.controlGroup else {
    return (program, [command.program] + command.arguments)
  }
  let script = "echo $$ > \"$0/cgroup.procs\"; exec \"$@\""
  return ("/bin/sh", ["sh", "-c", script, group.path, program] + command.arguments)
}

/// The path of a program on the PATH that the child will have.
func lookUp(_ program: String, path: String?) throws(TerminalFailure) -> String {
  if program.contains("/") {
    guard access(program, X_OK) == 0 else { throw .programMissing(program) }
    return program
  }
  for folder in (path ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":") {
    let candidate = "\(folder)/\(program)"
    var facts = stat()
    if stat(candidate, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG, access(candidate, X_OK) == 0
    {
      return candidate
    }
  }
  throw .programMissing(program)
}

/// Gives a null-terminated array of C strings to `body`.
private func withStrings<Result>(
  _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
  var pointers = strings.map { strdup($0) }
  defer { for pointer in pointers { free(pointer) } }
  pointers.append(nil)
  return body(pointers)
}
