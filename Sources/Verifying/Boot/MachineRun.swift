internal import Content
internal import Dispatch
internal import Foundation
internal import Model
internal import Synchronization
internal import SystemPackage
internal import Terminal

/// What one machine told while it ran.
struct MachineOutcome: Sendable {
  /// Seconds of the guest's clock until the unit of `ready` was reached; nil: never.
  var ready: Double?
  /// Seconds of ours until the machine said so.
  var wall: Double?
  var isRootWritable = false
  var failedUnits: [String] = []
  /// What systemd says of each of them.
  var unitLogs: [String: String] = [:]
  var identity: [String: String] = [:]
  var blame = ""
  var tests: [Int: TestOutcome] = [:]
  /// Of the tests that the image brings along, by name.
  var ownTests: [String: TestOutcome] = [:]
  /// Statuses of `health`; nil: no answer.
  var health: [Int?] = []
  var picture: Picture?
  /// What the command printed that brings something onto the display.
  var shown = ""
  /// Bytes of the host's disk that the machine's writes took until it was idle, before any test.
  var growth: Int?
  var isDone = false
  /// Whether it then switched itself off.
  var isOff = false
  /// Whether it said nothing for too long, and nothing tells why.
  var isStalled = false
  /// Whether it never began, since a port that should lead to it belongs to another program.
  var lacksPort = false
  /// Why it was given up.
  var cause: String?
}

/// Runs one machine to the end of its probe.
final class MachineRun: Sendable {
  private let emulator: Emulator
  private let tests: [Recipe.Test]
  /// Whether health, screen and growth are looked at as well.
  private let isFirst: Bool
  private let limit: Duration
  private let shouldStop: @Sendable () -> Bool

  /// - Parameters:
  ///   - limit: until it is ready; later, until it is off.
  ///   - shouldStop: whether its owner has lost interest.
  init(
    _ emulator: Emulator, tests: [Recipe.Test], isFirst: Bool, limit: Duration,
    shouldStop: @escaping @Sendable () -> Bool
  ) {
    self.emulator = emulator
    self.tests = tests
    self.isFirst = isFirst
    self.limit = limit
    self.shouldStop = shouldStop
  }

  func run() throws -> MachineOutcome {
    guard let program = HostTool.path(Emulator.program) else {
      throw NotJudged("there is no QEMU here (\(Emulator.program))")
    }
    let begin = ContinuousClock.now
    let child = try Child.start(
      Command(
        program, emulator.words,
        environment: ["PATH": "/usr/bin:/bin", "TMPDIR": emulator.folder.string]))
    defer { child.stop(grace: .zero) }
    var outcome = MachineOutcome()
    var terminal = TerminalTap(tests: tests)
    var control = LogReader(emulator.control)
    var console = LogReader(emulator.console)
    var consoleText = ""
    var deadline = begin + limit
    let visit = Visit()
    var isVisiting = false
    var isLeaving = false
    var said = ""
    while true {
      switch child.next(before: .now + .milliseconds(100)) {
      case .output(let bytes): child.send(terminal.take(bytes, into: &outcome))
      case .errors(let bytes): said += String(decoding: bytes, as: UTF8.self)
      case .ended:
        consoleText += console.read()
        if outcome.isDone {
          outcome.isOff = true
        } else {
          outcome.lacksPort = consoleText.isEmpty && said.contains("host forwarding rule")
          outcome.cause =
            likelyCause(ofConsole: consoleText)?.cause
            ?? "the machine ended by itself \(said.trimmed)".trimmed
        }
        return outcome
      case .deadline, .woken, .readable: break
      }
      if shouldStop() { throw CancellationError() }
      consoleText += console.read()
      let wasDone = outcome.isDone
      for line in control.readLines() {
        let typed = terminal.note(line)
        if !typed.isEmpty { child.send(typed) }
        if line == "GOLDEN-IDLE" { outcome.growth = emulator.overlaySize }
        note(line, &outcome)
      }
      if outcome.ready != nil, outcome.wall == nil {
        outcome.wall = seconds(.now - begin)
        // From here on each test has a limit of its own.
        let own = tests.reduce(0) { $0 + $1.timeout } * slowness
        deadline = .now + limit + .seconds(own)
      }
      if isFirst, outcome.growth != nil, !isVisiting {
        isVisiting = true
        let emulator = emulator
        let slowness = slowness
        DispatchQueue.global().async { visit.make(emulator, slowness: slowness) }
      }
      if outcome.isDone {
        // A clone has told what it is asked for.
        guard isFirst else { return outcome }
        if !wasDone { deadline = .now + limit + .seconds(visit.patience(emulator, slowness)) }
        if visit.isOver, !isLeaving {
          isLeaving = true
          (outcome.health, outcome.picture) = visit.found
          deadline = .now + .seconds(12 * slowness)
          child.send([UInt8(ascii: "\n")])
        }
      }
      if outcome.ready == nil, let found = likelyCause(ofConsole: consoleText), found.isFinal {
        outcome.cause = found.cause
        return outcome
      }
      if .now >= deadline {
        if isFirst, isVisiting { (outcome.health, outcome.picture) = visit.found }
        if outcome.isDone { return outcome }
        let how = outcome.ready == nil ? "it was not ready" : "it did not finish its tests"
        outcome.cause = likelyCause(ofConsole: consoleText)?.cause
        outcome.isStalled = outcome.cause == nil && outcome.ready == nil
        if outcome.cause == nil {
          outcome.cause = "it hangs: \(how) after \(Int(seconds(.now - begin))) s"
        }
        return outcome
      }
    }
  }

  private var slowness: Int { emulator.acceleration == .emulated ? 10 : 1 }

  private func note(_ line: String, _ outcome: inout MachineOutcome) {
    let words = line.split(separator: " ", maxSplits: 1).map(String.init)
    let rest = words.count > 1 ? words[1] : ""
    let parts = rest.split(separator: " ").map(String.init)
    switch words.first {
    case "GOLDEN-READY":
      // A line that was cut off says nothing.
      guard let ready = try? JSONDecoder().decode(ReadyLine.self, from: Data(rest.utf8)) else {
        return
      }
      outcome.ready = ready.uptime
      outcome.isRootWritable = ready.isRootWritable
      outcome.failedUnits = ready.failed
    case "GOLDEN-FAILED" where parts.count == 2: outcome.unitLogs[parts[0]] = decoded(parts[1])
    case "GOLDEN-IDENTITY" where parts.count >= 2: outcome.identity[parts[0]] = parts[1]
    case "GOLDEN-BLAME" where parts.count == 1: outcome.blame = decoded(parts[0])
    case "GOLDEN-SHOWN" where parts.count == 1: outcome.shown = decoded(parts[0])
    case "GOLDEN-CHECK":
      // As above.
      guard let check = try? JSONDecoder().decode(CheckLine.self, from: Data(rest.utf8)) else {
        return
      }
      note(check, &outcome)
    case "GOLDEN-DONE": outcome.isDone = true
    default: break
    }
  }

  private func note(_ check: CheckLine, _ outcome: inout MachineOutcome) {
    let test = check.index.flatMap { tests.indices.contains($0) ? tests[$0] : nil }
    // The shell adds 128 to a signal's number; KILL is the time limit's when the time is over.
    let isLate = check.status == 137 && check.milliseconds >= (test?.timeout ?? 60) * 1000
    let ending: TestOutcome.Ending =
      isLate
      ? .timedOut : check.status > 128 ? .signalled(check.status - 128) : .exited(check.status)
    guard let index = check.index, let test else {
      outcome.ownTests[check.name] = TestOutcome(
        ending: ending, output: Array(decoded(check.output ?? "").utf8), shown: "")
      return
    }
    var result = outcome.tests[index] ?? TestOutcome(ending: .timedOut, output: [], shown: "")
    result.ending = ending
    if !test.hasTerminal { result.output = Array(decoded(check.output ?? "").utf8) }
    outcome.tests[index] = result
  }

  private func decoded(_ text: String) -> String {
    Data(base64Encoded: text).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}

/// `GOLDEN-READY` of boot contract v1, as far as it is looked at.
private struct ReadyLine: Decodable {
  var uptime: Double
  var failed: [String]
  var isRootWritable: Bool
  private enum CodingKeys: String, CodingKey {
    case uptime, failed
    case isRootWritable = "root_rw"
  }
}

/// `GOLDEN-CHECK` of boot contract v1; `n` is the place of a recipe's test.
private struct CheckLine: Decodable {
  var index: Int?
  var name: String
  var status: Int
  var milliseconds: Int
  var output: String?
  private enum CodingKeys: String, CodingKey {
    case name
    case index = "n"
    case status = "rc"
    case milliseconds = "ms"
    case output = "out"
  }
}

func seconds(_ duration: Duration) -> Double {
  Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
}

/// Takes what tests show on the machine's terminal, one after another, and answers as terminals do.
private struct TerminalTap {
  let tests: [Recipe.Test]
  private var current: Int?
  private var screen = TerminalScreen(AnsweringScreen.size)
  private var output: [UInt8] = []

  init(tests: [Recipe.Test]) { self.tests = tests }

  /// A line of the probe; gives what shall be typed.
  mutating func note(_ line: String) -> [UInt8] {
    let words = line.split(separator: " ")
    guard words.first == "GOLDEN-BEGIN", words.count == 2, let index = Int(words[1]),
      tests.indices.contains(index)
    else { return [] }
    current = index
    return Array(tests[index].input.utf8)
  }

  mutating func take(_ bytes: [UInt8], into outcome: inout MachineOutcome) -> [UInt8] {
    output += bytes
    let answer = screen.feed(bytes)
    // The mark names its test: what the terminal shows may come before the line that begins it.
    for index in tests.indices where tests[index].hasTerminal {
      let mark = Array(Probe.mark(index).utf8)
      guard let range = output.firstRange(of: mark) else { continue }
      let own = Array(output[..<range.lowerBound])
      var view = TerminalScreen(AnsweringScreen.size)
      _ = view.feed(own)
      var test = outcome.tests[index] ?? TestOutcome(ending: .timedOut, output: [], shown: "")
      test.output = own
      test.shown = (view.text.split(separator: "\n").map(String.init) + view.hyperlinks)
        .joined(separator: "\n")
      outcome.tests[index] = test
      output = Array(output[range.upperBound...])
      screen = TerminalScreen(AnsweringScreen.size)
      _ = screen.feed(output)
    }
    return answer
  }
}

/// Looks at a machine from outside: its addresses of health, and its screen.
private final class Visit: Sendable {
  private struct State {
    var health: [Int?] = []
    var picture: Picture?
    var isOver = false
  }
  private let state = Mutex(State())

  var isOver: Bool { state.withLock(\.isOver) }
  var found: ([Int?], Picture?) { state.withLock { ($0.health, $0.picture) } }

  /// Seconds after which it surely is over.
  func patience(_ emulator: Emulator, _ slowness: Int) -> Int {
    (emulator.boot.health.count * 8 + (emulator.boot.display == nil ? 0 : 45)) * slowness
  }

  func make(_ emulator: Emulator, slowness: Int) {
    let boot = emulator.boot
    for address in boot.health {
      let rest = address.dropFirst("http://:".count)
      let number = rest.prefix { $0 != "/" }
      let guest = UInt16(number) ?? 0
      let port = emulator.ports.first { $0.guest == guest }?.host ?? 0
      let end = ContinuousClock.now + .seconds(6 * slowness)
      var answer: Int?
      while answer != 200, .now < end {
        answer =
          status(
            ofGet: String(rest.dropFirst(number.count)), port: port, token: emulator.token,
            patience: 2 * slowness) ?? answer
        if answer != 200 { usleep(300_000) }
      }
      state.withLock { [answer] in $0.health.append(answer) }
    }
    if boot.display != nil, let port = emulator.ports.first(where: { $0.guest == 15900 })?.host {
      let end = ContinuousClock.now + .seconds((boot.show.isEmpty ? 3 : 40) * slowness)
      while .now < end {
        if let seen = picture(ofVNC: port, patience: 3 * slowness) {
          state.withLock { $0.picture = seen }
          if !seen.isBlank { break }
        }
        usleep(1_000_000)
      }
    }
    state.withLock { $0.isOver = true }
  }
}

/// Reads what is added to a file.
private struct LogReader {
  private let path: FilePath
  private var offset: Int64 = 0
  private var rest = ""

  init(_ path: FilePath) { self.path = path }

  mutating func read() -> String {
    // The file comes when the machine starts.
    guard let file = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec) else {
      return ""
    }
    defer { try? file.close() }  // only read from
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65536)
    while bytes.count < 1 << 22,
      let count = try? piece.withUnsafeMutableBytes({
        try file.read(fromAbsoluteOffset: offset, into: $0)
      }),
      count > 0
    {
      bytes += piece[..<count]
      offset += Int64(count)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  mutating func readLines() -> [String] {
    let text = rest + read()
    guard let last = text.lastIndex(of: "\n") else {
      rest = text
      return []
    }
    rest = String(text[text.index(after: last)...])
    return text[..<last].split(separator: "\n").map(String.init)
  }
}
