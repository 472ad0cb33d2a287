import Glibc
import Support
import Terminal
import Testing

/// Runs a shell script to its end and collects what it printed.
struct Transcript {
  var output: [UInt8] = []
  var errors: [UInt8] = []
  var ending: Ending?

  var text: String { String(decoding: output, as: UTF8.self) }

  init(
    of script: String, streams: Command.Streams = .pipes, environment: [String: String] = [:],
    folder: String? = nil, input: String? = nil, within limit: Duration = .seconds(20)
  ) throws {
    let child = try Child.start(shell(script, streams, environment, folder))
    if let input { child.send(input.utf8) }
    if input != nil { child.endInput() }
    collect(from: child, within: limit)
  }

  init(of child: Child, within limit: Duration = .seconds(20)) {
    collect(from: child, within: limit)
  }

  private mutating func collect(from child: Child, within limit: Duration) {
    let deadline = ContinuousClock.now + limit
    while true {
      switch child.next(before: deadline) {
      case .output(let bytes): output += bytes
      case .errors(let bytes): errors += bytes
      case .ended(let how):
        ending = how
        return
      case .deadline: return
      case .readable, .woken: break
      }
    }
  }
}

func shell(
  _ script: String, _ streams: Command.Streams = .pipes, _ environment: [String: String] = [:],
  _ folder: String? = nil
) -> Command {
  var variables = ["PATH": "/usr/local/bin:/usr/bin:/bin"]
  variables.merge(environment) { $1 }
  return Command(
    "/bin/sh", ["-c", script], environment: variables, folder: folder, streams: streams)
}

let terminal = Command.Streams.terminal(WindowSize(rows: 24, columns: 80))

@Suite("Child processes")
struct ChildTests {
  @Test("give their output, their errors and their status through pipes")
  func pipes() throws {
    let run = try Transcript(of: "cat; echo bad >&2; exit 7", input: "hello\n")
    #expect(run.text == "hello\n")
    #expect(run.errors == Array("bad\n".utf8))
    #expect(run.ending == .exited(7))
    #expect(try Transcript(of: "cat; echo end", input: "").text == "end\n")
  }

  @Test("lead a session whose controlling terminal is the pseudo-terminal")
  func controllingTerminal() throws {
    let script = """
      test -t 0 && test -t 1 && test -t 2 && echo tty
      echo opened >/dev/tty
      stty size </dev/tty
      echo $TERM
      ps -o sid=,pgid=,tpgid= -p $$ | awk -v p=$$ '$1==p && $2==p && $3==p {print "leader"}'
      """
    let run = try Transcript(of: script, streams: terminal)
    #expect(run.text == "tty\r\nopened\r\n24 80\r\nxterm-256color\r\nleader\r\n")
    #expect(run.ending == .exited(0))
  }

  @Test("see a new window size, with the signal for it")
  func windowSize() throws {
    let script = "trap 'stty size; exit 3' WINCH; echo ready; while :; do sleep 0.05; done"
    let child = try Child.start(shell(script, terminal))
    #expect(child.next(before: .now + .seconds(10)) == .output(Array("ready\r\n".utf8)))
    child.resize(to: WindowSize(rows: 50, columns: 1000))
    let run = Transcript(of: child)
    #expect(run.text == "50 1000\r\n")
    #expect(run.ending == .exited(3))
  }

  @Test("get only their three descriptors, a clean signal state, and the given environment")
  func nothingLeaks() throws {
    let kept = open("/dev/null", O_RDONLY)
    defer { close(kept) }
    let script =
      "ls -l /proc/self/fd | grep -vc /proc/; grep -E 'Sig(Blk|Ign)' /proc/self/status; env"
    let run = try Transcript(of: script, environment: ["ONLY": "this"], folder: "/")
    // The C library keeps its two internal signals, 32 and 33, ignored between fork and exec.
    let lines = run.text.replacing("SigIgn:\t0000000180000000", with: "SigIgn:\t0000000000000000")
      .split(separator: "\n").filter { !$0.hasPrefix("CHILD_FAMILY=") }
    #expect(
      Set(lines).subtracting(["PWD=/", "SHLVL=0", "_=/usr/bin/env"]) == [
        "4", "SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000",
        "PATH=/usr/local/bin:/usr/bin:/bin", "ONLY=this",
      ])  // four lines: the total and the three streams
  }

  @Test("take typed input, and an end of file, at a terminal")
  func typing() throws {
    let run = try Transcript(
      of: "stty -echo; echo go; read x; echo got:$x; cat; echo end", streams: terminal,
      input: "one\ntwo\n")
    #expect(run.text.hasSuffix("got:one\r\ntwo\r\nend\r\n"))
  }

  @Test("keep every byte of binary output, by pipe and by raw terminal")
  func binary() throws {
    let script = "awk 'BEGIN { for (i = 0; i < 256; i++) printf \"%c\", i }'"
    let bytes = Array(UInt8.min...UInt8.max)
    #expect(try Transcript(of: script, environment: ["LC_ALL": "C"]).output == bytes)
    let raw = try Transcript(
      of: "stty raw; " + script, streams: terminal, environment: ["LC_ALL": "C"])
    #expect(raw.output == bytes)
  }

  @Test("that print a flood wait for their reader", arguments: [terminal, .pipes])
  func flood(streams: Command.Streams) throws {
    let child = try Child.start(shell("yes 0123456789abcdef", streams))
    #expect(child.next(before: .now + .milliseconds(200), reading: false) == .deadline)
    var count = 0
    while count < 4 << 20, case .output(let bytes) = child.next(before: .now + .seconds(20)) {
      count += bytes.count
    }
    #expect(count >= 4 << 20)
    #expect(child.stop() == .signalled(SIGTERM))
  }

  @Test("hand out all output before their end, even when read late")
  func lateReader() throws {
    for streams in [terminal, .pipes] {
      let child = try Child.start(shell("seq 1 1000", streams))
      #expect(child.next(before: .now + .milliseconds(100), reading: false) == .deadline)
      let run = Transcript(of: child)
      #expect(run.text.split(whereSeparator: \.isNewline).count == 1000)
      #expect(run.ending == .exited(0))
    }
  }

  @Test("that ignore SIGTERM are killed after the grace")
  func escalation() throws {
    for streams in [terminal, .pipes] {
      let child = try Child.start(
        shell("trap '' TERM HUP; echo on; while :; do sleep 9; done", streams))
      guard case .output = child.next(before: .now + .seconds(10)) else {
        Issue.record("no output")
        return
      }
      let start = ContinuousClock.now
      #expect(child.stop(grace: .milliseconds(100)) == .signalled(SIGKILL))
      #expect(.now - start < .seconds(5))
      #expect(child.members.isEmpty)
    }
  }

  @Test("leave nothing behind: neither jobs, nor other sessions, nor daemons that left home")
  func leftovers() throws {
    let script = """
      sleep 1001 & setsid sleep 1002 & (setsid sh -c 'sleep 1003 & sleep 1004 &' &)
      while test $(pgrep -c -f '^sleep 100[1-4]$') -lt 4; do sleep 0.02; done
      echo up
      """
    for end in ["exit 5", "sleep 1005"] {
      let child = try Child.start(shell(script + "\n" + end))
      #expect(child.next(before: .now + .seconds(20)) == .output(Array("up\n".utf8)))
      #expect(child.members.count >= 4 || end == "exit 5")
      let ending = end == "exit 5" ? Transcript(of: child).ending : child.stop()
      #expect(ending == (end == "exit 5" ? .exited(5) : .signalled(SIGTERM)))
      #expect(child.members.isEmpty)
    }
  }

  @Test("are killed and reaped when nobody holds them any more")
  func dropped() throws {
    var child: Child? = try Child.start(shell("sleep 1000"))
    let id = try #require(child?.id)
    child = nil
    #expect(kill(id, 0) == -1 && errno == ESRCH)
  }

  @Test("leak no descriptor and leave no zombie over many runs")
  func noLeak() throws {
    func openDescriptors() throws -> Int {
      try #require(
        try Transcript(of: "ls /proc/\(getpid())/fd | wc -l").text.split(separator: "\n")
          .first.flatMap { Int($0) })
    }
    // Other tests of this process open files meanwhile: a leak would be 20 and more.
    let before = try openDescriptors()
    var children: [Int32] = []
    for round in 0..<40 {
      let child = try Child.start(shell("exit 0", round.isMultiple(of: 2) ? terminal : .pipes))
      children.append(child.id)
      #expect(Transcript(of: child).ending == .exited(0))
    }
    #expect(try openDescriptors() < before + 20)
    for id in children { #expect(waitpid(id, nil, WNOHANG) == -1) }
  }

  @Test("that do not exist are named")
  func missing() {
    #expect(throws: TerminalFailure.programMissing("no-such-program")) {
      try Child.start(Command("no-such-program"))
    }
    #expect(throws: TerminalFailure.programMissing("/no/such")) {
      try Child.start(Command("/no/such"))
    }
    #expect(throws: TerminalFailure.failed(operation: "start '/bin/sh'", code: ENOENT)) {
      try Child.start(shell("exit 0", .pipes, [:], "/no/such/folder"))
    }
    #expect(
      TerminalFailure.programMissing("x").description
        == "cannot start 'x': no such program on the child's PATH; is its package in the image?")
  }

  @Test("can be waited for beside other descriptors and wake-ups")
  func waking() throws {
    let child = try Child.start(shell("sleep 1000"))
    child.waker.wake()
    #expect(child.next(before: .now + .seconds(5)) == .woken)
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    defer { for end in ends { close(end) } }
    child.watching = [ends[0]]
    write(ends[1], "x", 1)
    #expect(child.next(before: .now + .seconds(5)) == .readable(ends[0]))
    child.watching = []
    #expect(child.next(before: .now + .milliseconds(10)) == .deadline)
  }

  @Test("that stop reading their input, or close it, block nobody")
  func deafChildren() throws {
    let child = try Child.start(shell("exec 0<&-; echo closed; sleep 0.2; exit 4"))
    child.send(repeatElement(UInt8(ascii: "x"), count: 1 << 20))
    let run = Transcript(of: child)
    #expect(run.ending == .exited(4))
    #expect(
      try Transcript(of: "sleep 0.1", input: String(repeating: "y", count: 1 << 20)).ending
        == .exited(0))
  }
}
