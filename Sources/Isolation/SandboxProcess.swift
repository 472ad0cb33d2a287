internal import CSandbox
internal import Glibc
internal import SystemPackage

/// A sandbox that runs: its first process and the pipes from it.
struct SandboxProcess {
  private let name: String
  private let pid: pid_t
  private let report: Int32
  private let output: Int32
  /// -1 where errors go into the output.
  private let errors: Int32

  /// Starts a command with pipes for its streams.
  static func start(
    _ command: SandboxCommand, in sandbox: Sandbox
  ) throws(IsolationFailure) -> SandboxProcess {
    var owned: [Int32] = []
    func keep(_ number: Int32, _ operation: String) throws(IsolationFailure) -> Int32 {
      guard number >= 0 else { throw .refused(operation: operation, code: errno) }
      // 0, 1 and 2 may be free here, and are taken in the child.
      let safe = fcntl(number, F_DUPFD_CLOEXEC, 3)
      let code = errno
      Glibc.close(number)
      guard safe >= 0 else { throw .refused(operation: operation, code: code) }
      owned.append(safe)
      return safe
    }
    func pipe() throws(IsolationFailure) -> (reader: Int32, writer: Int32) {
      var ends: [Int32] = [-1, -1]
      guard csandbox_pipe(&ends) == 0 else {
        throw .refused(operation: "make a pipe", code: errno)
      }
      return (try keep(ends[0], "make a pipe"), try keep(ends[1], "make a pipe"))
    }
    do throws(IsolationFailure) {
      if let terminal = command.terminal {
        var ends: [Int32] = [-1, -1]
        guard csandbox_terminal(terminal.rows, terminal.columns, &ends) == 0 else {
          throw .refused(operation: "make a terminal", code: errno)
        }
        let ours = try keep(ends[0], "make a terminal")
        let theirs = try keep(ends[1], "make a terminal")
        let process = try start(
          command, in: sandbox, streams: (theirs, theirs, theirs), hasTerminal: false)
        Glibc.close(theirs)
        return SandboxProcess(
          name: process.name, pid: process.pid, report: process.report, output: ours, errors: -1)
      }
      let input = try keep(
        command.input.withUnsafeBytes { csandbox_file_of($0.baseAddress, $0.count) },
        "prepare the input")
      let output = try pipe()
      let errors = command.keepsErrorsApart ? try pipe() : (reader: -1, writer: output.writer)
      let process = try start(
        command, in: sandbox, streams: (input, output.writer, errors.writer), hasTerminal: false)
      for number in [input, output.writer] { Glibc.close(number) }
      if command.keepsErrorsApart { Glibc.close(errors.writer) }
      return SandboxProcess(
        name: process.name, pid: process.pid, report: process.report, output: output.reader,
        errors: errors.reader)
    } catch {
      for number in owned { Glibc.close(number) }
      throw error
    }
  }

  /// Runs a command on this program's terminal and waits.
  static func runOnTerminal(
    _ command: SandboxCommand, in sandbox: Sandbox
  ) throws(IsolationFailure) {
    guard isatty(0) == 1 else {
      throw .refused(operation: "give the terminal to '\(command.arguments[0])'", code: ENOTTY)
    }
    let process = try start(command, in: sandbox, streams: (0, 1, 2), hasTerminal: true)
    defer {
      Glibc.close(process.report)
      takeTerminalBack()
    }
    var report = csandbox_report()
    while csandbox_read_report(process.report, &report) > 0 {
      guard report.kind == Int32(CSANDBOX_FAILED.rawValue) else { continue }
      csandbox_wait(process.pid)
      throw .refused(operation: operation(of: report), code: report.number)
    }
    csandbox_wait(process.pid)
  }

  private static func takeTerminalBack() {
    var signals = sigset_t()
    var old = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGTTOU)
    pthread_sigmask(SIG_BLOCK, &signals, &old)
    tcsetpgrp(0, getpgrp())
    pthread_sigmask(SIG_SETMASK, &old, nil)
  }

  private static func start(
    _ command: SandboxCommand, in sandbox: Sandbox,
    streams: (input: Int32, output: Int32, errors: Int32), hasTerminal: Bool
  ) throws(IsolationFailure) -> SandboxProcess {
    let resolver = command.hasNetwork ? text(of: "/etc/resolv.conf") ?? "" : ""
    let texts = CTexts()
    let binds = try sandbox.binds.map { bind throws(IsolationFailure) in
      csandbox_bind(
        source: try texts.pointer(bind.source.string),
        target: try texts.pointer(bind.target.string),
        is_read_only: bind.isReadOnly ? 1 : 0)
    }
    var plan = csandbox_plan()
    plan.root = try texts.pointer(sandbox.root.string)
    plan.hostname = try texts.pointer(sandbox.hostname)
    plan.folder = try texts.pointer(command.folder.string)
    plan.resolver = try texts.pointer(resolver)
    plan.resolver_length = resolver.utf8.count
    plan.programs = try texts.list(Sandbox.programs(of: command))
    plan.arguments = try texts.list(command.arguments)
    plan.environment = try texts.list(Sandbox.environment(of: command))
    (plan.uid, plan.gid) = (command.user.uid, command.user.gid)
    (plan.input, plan.output, plan.errors) = streams
    plan.has_network = command.hasNetwork ? 1 : 0
    plan.has_terminal = hasTerminal ? 1 : 0
    plan.has_own_terminal = command.terminal == nil ? 0 : 1
    plan.has_overlay = command.isThrowAway ? 1 : 0
    plan.ignores_sync = command.ignoresSync ? 1 : 0
    var report: Int32 = -1
    let pid = binds.withUnsafeBufferPointer { binds in
      command.user.groups.withUnsafeBufferPointer { groups in
        (plan.binds, plan.bind_count) = (binds.baseAddress, binds.count)
        (plan.groups, plan.group_count) = (groups.baseAddress, groups.count)
        return csandbox_start(&plan, &report)
      }
    }
    withExtendedLifetime(texts) {}
    guard pid >= 0 else { throw .refused(operation: "start a sandbox", code: errno) }
    return SandboxProcess(
      name: command.arguments[0], pid: pid, report: report, output: -1, errors: -1)
  }

  /// Reads the streams until the sandbox is gone.
  func wait(
    for command: SandboxCommand, onLine: (@Sendable (String) -> Void)?
  ) throws -> SandboxResult {
    defer { for number in [report, output, errors] where number >= 0 { Glibc.close(number) } }
    var isBuried = false
    defer {
      if !isBuried {
        kill(pid, SIGKILL)
        csandbox_wait(pid)
      }
    }
    var collector = Collector(limit: command.captureLimit, onLine: onLine)
    if let terminal = command.terminal {
      collector.answer = terminal.answer
      collector.typed = command.input
    }
    let timedOut = try collector.collect(
      streams: [output, errors], until: command.timeLimit.map { .now + $0 },
      stop: { _ = kill(pid, SIGKILL) })
    var message = csandbox_report()
    let hasMessage = csandbox_read_report(report, &message) == 1
    let kind = message.kind
    csandbox_wait(pid)
    isBuried = true
    let ending: SandboxResult.Ending
    if timedOut, let limit = command.timeLimit {
      ending = .timedOut(limit)
    } else if hasMessage, kind == Int32(CSANDBOX_ENDED.rawValue) {
      let status = message.number
      ending = status & 0x7F == 0 ? .exited((status >> 8) & 0xFF) : .signalled(status & 0x7F)
    } else if hasMessage {
      throw IsolationFailure.refused(operation: operation(of: message), code: message.number)
    } else {
      throw IsolationFailure.killed(command: name)
    }
    return SandboxResult(
      ending: ending, output: collector.captured[0].bytes, errors: collector.captured[1].bytes,
      isTruncated: collector.captured.contains { $0.isTruncated })
  }
}
