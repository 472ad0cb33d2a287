internal import Foundation
public import Isolation
public import Model
internal import Synchronization
internal import SystemPackage
internal import Terminal

/// Runs the recipe's tests of stage `root`: each on a throw-away layer over the finished root,
/// without a network, as the user that it names.
///
/// - Parameter onOutput: gets each test's name and what it printed, for the evidence.
public func runTreeTests(
  of recipe: Recipe, in sandbox: Sandbox, skipping: Set<String> = [],
  onOutput: (String, [UInt8]) throws -> Void = { _, _ in },
  onResult: (CheckResult) -> Void = { _ in }
) throws -> [CheckResult] {
  try recipe.tests.filter { $0.stage == .root }.map { test in
    try Task.checkCancellation()
    let result = try CheckResult.timed("test: \(test.name)", .sandbox) {
      if skipping.contains("test: \(test.name)") { throw NotJudged("--skip-check was given") }
      let outcome = try run(test, in: sandbox, recipe: recipe)
      try onOutput(test.name, outcome.output)
      return (outcome.findings(of: test), "\(outcome.ending)")
    }
    onResult(result)
    return result
  }
}

/// What a test's command did.
struct TestOutcome: Sendable, Equatable {
  enum Ending: Sendable, Equatable, CustomStringConvertible {
    case exited(Int)
    case signalled(Int)
    case timedOut

    var description: String {
      switch self {
      case .exited(let status): "exit status \(status)"
      case .signalled(let number): "killed by signal \(number)"
      case .timedOut: "did not end in time"
      }
    }
  }

  var ending: Ending
  /// As it came.
  var output: [UInt8]
  /// As a terminal showed it, where there was one: rows, and links that it would offer.
  var shown: String

  /// What a test has to say against it.
  func findings(of test: Recipe.Test, check: String? = nil) -> [Finding] {
    let name = check ?? "test: \(test.name)"
    let place = "'\(test.command.joined(separator: " "))'"
    var findings: [Finding] = []
    for expectation in test.expectations where !holds(expectation) {
      let wanted =
        switch expectation {
        case .text(let text): "'\(text)'"
        case .pattern(let pattern): "a match of '\(pattern)'"
        }
      findings.append(
        Finding(
          check: name, place: place,
          "did not print \(wanted) \(test.hasTerminal ? "on a terminal" : "without a terminal"); "
            + "\(ending), and it printed: \(excerpt)"))
    }
    // A program that waits for its user is stopped once it has shown what was expected.
    if ending == .timedOut, test.exit == nil, !test.expectations.isEmpty { return findings }
    if let exit = test.exit, ending != .exited(exit), findings.isEmpty {
      findings.append(
        Finding(
          check: name, place: place,
          "\(ending), not exit status \(exit); it printed: \(excerpt)",
          hint: ending == .signalled(4)
            ? "it uses instructions that the smallest processor of the fleet does not have" : nil))
    } else if ending == .timedOut, test.exit == nil, test.expectations.isEmpty {
      findings.append(Finding(check: name, place: place, "\(ending) (\(test.timeout) s)"))
    }
    return findings
  }

  func holds(_ expectation: Recipe.Test.Expectation) -> Bool {
    let text = shown + "\n" + String(decoding: output, as: UTF8.self)
    switch expectation {
    case .text(let wanted): return text.contains(wanted)
    case .pattern(let pattern):
      // The recipe's reader has accepted the pattern.
      guard let regex = try? Regex(pattern).anchorsMatchLineEndings() else { return false }
      return text.contains(regex)
    }
  }

  /// The last of what it printed, on one line.
  var excerpt: String {
    let text = (shown.isEmpty ? String(decoding: output, as: UTF8.self) : shown)
      .split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { !$0.isEmpty }.joined(separator: " | ")
    return text.isEmpty ? "nothing" : "'\(text.suffix(400))'"
  }
}

/// A screen that answers what a program asks its terminal, and keeps what it shows.
final class AnsweringScreen: Sendable {
  static let size = WindowSize(rows: 50, columns: 200)
  private let screen = Mutex(TerminalScreen(AnsweringScreen.size))
  private let output = Mutex<[UInt8]>([])

  func feed(_ bytes: [UInt8]) -> [UInt8] {
    output.withLock { if $0.count < 1 << 20 { $0 += bytes } }
    return screen.withLock { $0.feed(bytes) }
  }

  var bytes: [UInt8] { output.withLock { $0 } }

  /// The rows that are not empty, and the links that were printed.
  var text: String {
    screen.withLock { screen in
      (screen.text.split(separator: "\n").map(String.init) + screen.hyperlinks)
        .joined(separator: "\n")
    }
  }
}

private func run(
  _ test: Recipe.Test, in sandbox: Sandbox, recipe: Recipe
) throws -> TestOutcome {
  let user = try account(test.user, in: sandbox, recipe)
  var environment = test.environment
  if test.hasTerminal, environment["TERM"] == nil { environment["TERM"] = "xterm-256color" }
  var command = SandboxCommand(
    test.command, environment: environment, user: user,
    input: Array(test.input.utf8), timeLimit: .seconds(test.timeout))
  command.isThrowAway = true
  let screen = AnsweringScreen()
  if test.hasTerminal {
    command.terminal = SandboxCommand.Terminal(
      rows: AnsweringScreen.size.rows, columns: AnsweringScreen.size.columns,
      answer: { screen.feed($0) })
  }
  let result = try sandbox.run(command)
  let ending: TestOutcome.Ending =
    switch result.ending {
    case .exited(let status): .exited(Int(status))
    case .signalled(let number): .signalled(Int(number))
    case .timedOut: .timedOut
    }
  return TestOutcome(
    ending: ending, output: test.hasTerminal ? screen.bytes : result.output,
    shown: test.hasTerminal ? screen.text : "")
}

/// The numbers of a user by name, from the root's own accounts.
private func account(
  _ name: String, in sandbox: Sandbox, _ recipe: Recipe
) throws -> SandboxUser {
  if name == "root" { return .root }
  if let user = recipe.users.first(where: { $0.name == name }) {
    return SandboxUser(uid: UInt32(user.uid), gid: UInt32(user.gid), home: user.home)
  }
  let text = try RootFolder(sandbox.root).contents(of: "/etc/passwd") ?? []
  for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
    let fields = line.split(separator: ":", omittingEmptySubsequences: false)
    if fields.count > 5, fields[0] == name, let uid = UInt32(fields[2]), let gid = UInt32(fields[3])
    {
      return SandboxUser(uid: uid, gid: gid, home: String(fields[5]))
    }
  }
  throw NotJudged("the image has no user '\(name)'")
}
