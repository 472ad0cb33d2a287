import Terminal
import Testing

@testable import VMBrowserAgent

/// A machine and what was done to it, second by second.
private struct Trial {
  var machine: SessionMachine

  init(_ mode: Provider.Mode = .loopback, hasStatus: Bool = true, timeout: Int = 300) {
    machine = SessionMachine(mode: mode, hasStatus: hasStatus, timeout: .seconds(timeout))
    _ = machine.handle(.started, at: .zero)
  }

  mutating func at(_ seconds: Double, _ event: SessionMachine.Event) -> [SessionMachine.Action] {
    machine.handle(event, at: .seconds(seconds))
  }
}

private let link = "https://a.example/oauth?state=1"

@Suite("The rules of a sign-in")
struct SessionMachineTests {
  @Test("prefer the address that the program hands to the browser")
  func captured() {
    var trial = Trial()
    #expect(trial.machine.state == .awaitingURL)
    #expect(trial.at(1, .shown(link: "https://a.example/paste", asksForCode: true)) == [])
    #expect(trial.machine.state == .awaitingURL && trial.machine.asksForCode)
    #expect(trial.at(2, .captured(link)) == [.openBrowser(link)])
    #expect(trial.machine.state == .pending && trial.machine.url == link)
    #expect(trial.at(9, .shown(link: "https://a.example/paste", asksForCode: true)) == [])
    #expect(trial.machine.url == link)
  }

  @Test("take a printed address when no better one comes in time")
  func printed() {
    var trial = Trial()
    #expect(trial.at(1, .shown(link: link, asksForCode: false)) == [])
    #expect(trial.at(2, .tick) == [])
    #expect(trial.at(3, .tick) == [.openBrowser(link)])
    #expect(trial.at(4, .tick) == [])
  }

  @Test("take the printed address at once where a code is to be typed")
  func code() {
    var trial = Trial(.code)
    #expect(trial.at(1, .captured("https://a.example/other")) == [])
    #expect(trial.at(1, .shown(link: link, asksForCode: true)) == [.openBrowser(link)])
    #expect(trial.at(2, .code("abc")) == [.type("abc\r")])
    #expect(trial.machine.state == .submitting && !trial.machine.asksForCode)
    #expect(trial.at(3, .shown(link: link, asksForCode: false)) == [])
    #expect(trial.machine.state == .submitting)
    #expect(trial.at(4, .shown(link: link, asksForCode: true)) == [])
    #expect(trial.machine.state == .pending)
  }

  @Test("take no code before there is an address")
  func earlyCode() {
    var trial = Trial(.code)
    #expect(trial.at(1, .code("abc")) == [])
    #expect(trial.machine.state == .awaitingURL)
  }

  @Test("are content with credentials that stay as they are, after a good end")
  func goodEnd() {
    var trial = Trial()
    #expect(trial.at(1, .looked(.complete(1))) == [])
    #expect(trial.at(1.2, .looked(.complete(2))) == [])
    #expect(trial.at(1.3, .ended(.exited(0), lastWords: "")) == [])
    #expect(trial.at(1.4, .tick) == [])
    #expect(trial.at(1.6, .tick) == [.stop])
    #expect(trial.machine.state == .ready)
  }

  @Test("ask the status command while the program still runs, and again if it says no")
  func status() {
    var trial = Trial()
    _ = trial.at(1, .looked(.complete(1)))
    #expect(trial.at(1.5, .looked(.complete(1))) == [.checkStatus])
    #expect(trial.at(1.6, .status(isSignedIn: false)) == [])
    #expect(trial.at(3.4, .tick) == [])
    #expect(trial.at(3.6, .tick) == [.checkStatus])
    #expect(trial.at(3.7, .status(isSignedIn: true)) == [.stop])
    #expect(trial.machine.state == .ready)
  }

  @Test("do not believe a status command without credentials")
  func lyingStatus() {
    var trial = Trial()
    #expect(trial.at(1, .status(isSignedIn: true)) == [])
    #expect(trial.machine.state == .awaitingURL)
  }

  @Test("need no status command where there is none")
  func withoutStatus() {
    var trial = Trial(hasStatus: false)
    _ = trial.at(1, .looked(.complete(1)))
    #expect(trial.at(2, .tick) == [.stop])
    #expect(trial.machine.state == .ready)
  }

  @Test("call an end without credentials a failure, in the program's own words")
  func failures() {
    var bad = Trial()
    #expect(bad.at(1, .ended(.exited(1), lastWords: "no network")) == [.stop])
    #expect(bad.machine.failure?.code == "cli_exited")
    #expect(bad.machine.failure?.message == "the program exited with status 1: no network")
    var empty = Trial()
    #expect(empty.at(1, .ended(.exited(0), lastWords: "")) == [])
    #expect(empty.at(4, .tick) == [.stop])
    #expect(empty.machine.failure?.code == "no_credentials")
    var killed = Trial()
    _ = killed.at(1, .looked(.complete(1)))
    _ = killed.at(2, .ended(.signalled(9), lastWords: ""))
    #expect(killed.at(2.5, .status(isSignedIn: false)) == [])
    #expect(killed.at(5, .tick) == [.stop])
    #expect(killed.machine.state == .failed)
  }

  @Test("end after five minutes, and nothing changes after the end")
  func timeout() {
    var trial = Trial()
    _ = trial.at(1, .captured(link))
    #expect(trial.at(299.9, .tick) == [])
    #expect(trial.at(300, .tick) == [.stop])
    #expect(trial.machine.state == .timeout)
    let revision = trial.machine.revision
    for event in [
      SessionMachine.Event.looked(.complete(1)), .cancelled, .captured("https://a.example/2"),
      .ended(.exited(0), lastWords: ""), .code("x"), .status(isSignedIn: true), .tick,
    ] {
      #expect(trial.at(400, event) == [])
    }
    #expect(trial.machine.state == .timeout && trial.machine.revision == revision)
  }

  @Test("end when the controller says so")
  func cancelled() {
    var trial = Trial()
    #expect(trial.at(1, .cancelled) == [.stop])
    #expect(trial.machine.state == .cancelled)
  }
}

@Suite("Providers")
struct ProviderTests {
  @Test("are known by their names of before")
  func aliases() {
    for (alias, name) in [
      ("codex_cli", "codex"), ("codex", "codex"), ("claude_code", "claude_code"),
    ] {
      #expect(Provider.builtIn.first { $0.answers(to: alias) }?.name == name)
    }
  }

  @Test("fit versions number by number")
  func versions() {
    let provider = Provider(
      name: "p", program: "p", fromVersion: "0.9", beforeVersion: "0.100.0", modes: [:], links: [],
      credentials: ["x"])
    for version in ["0.9", "0.9.0", "0.10.3", "0.99.9"] {
      #expect(provider.isFor(version: version))
    }
    for version in ["0.8.99", "0.100", "1.0", ""] { #expect(!provider.isFor(version: version)) }
    #expect(VersionNumber.first(in: "codex-cli 0.163.0\n") == "0.163.0")
    #expect(VersionNumber.first(in: "2.1.327 (Claude Code)") == "2.1.327")
    #expect(VersionNumber.first(in: "no version 3") == nil)
  }

  @Test("come from a file, whose faults are named")
  func file() throws {
    let good = """
      [{"name":"codex","program":"codex","before_version":"0.30","modes":{"loopback":{"arguments":
      ["signin"]}},"links":["https://a/"],"credentials":[".codex/auth.json"],"exclusive":true,
      "prompts":[{"text":"ok?","answer":"y\\r"}],"status":["status"],"code_prompt":"Code"}]
      """
    let read = try readProviders(Array(good.utf8))
    #expect(read.first?.modes[.loopback]?.arguments == ["signin"])
    #expect(read.first?.beforeVersion == "0.30")
    #expect(read.first?.prompts == [Provider.Prompt(text: "ok?", answer: "y\r")])
    for (text, fault) in [
      ("{}", "cannot use the providers: no array"),
      ("[{\"nam\":1}]", "cannot use the providers: entry 1: unknown key 'nam'"),
      (
        good.replacing(".codex/auth", with: "../auth"),
        "cannot use the providers: entry 1: '../auth.json' is not below the home folder"
      ),
      (
        good.replacing("loopback", with: "magic"),
        "cannot use the providers: entry 1: mode 'magic' is unknown or has no 'arguments'"
      ),
    ] {
      let error = try #require(throws: FaultyProviders.self) { try readProviders(Array(text.utf8)) }
      #expect("\(error)" == fault)
    }
  }
}

@Suite("Redaction")
struct RedactionTests {
  @Test(
    "masks what could be a secret, and leaves words alone",
    arguments: [
      (
        "open https://a.example/oauth/authorize?client_id=app&state=abc&code=1#x=2 now",
        "open https://a.example/oauth/authorize?client_id=[masked]&state=[masked]&code=[masked]#x=[masked] now"
      ),
      ("key k3y-aaaa1111bbbb2222cccc ok", "key [masked] ok"),
      (
        "at https://a.example/authorize?z-nYBFiFg0n2 now",
        "at https://a.example/authorize?[masked] now"
      ),
      ("\"access_token\":\"eyJhbGciOiJIUzI1NiIsInR5cCI6\",", "\"access_token\":\"[masked]\","),
      ("enter the code ABCD-EFGH1 there", "enter the code [masked] there"),
      (
        "in /root/.codex/packages/standalone version 0.163.0",
        "in /root/.codex/packages/standalone version 0.163.0"
      ),
      ("Waiting for authentication... (5 minutes)", "Waiting for authentication... (5 minutes)"),
      ("I typed hunter22 here", "I typed [masked] here"),
    ])
  func masked(text: String, expected: String) {
    var redaction = Redaction()
    redaction.hide("hunter22")
    #expect(redaction.masked(text) == expected)
  }
}
