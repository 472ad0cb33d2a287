internal import AgentHTTP
internal import Glibc
internal import Terminal

/// The loop of a sign-in's thread: everything that happens to the program goes to the rules, and what
/// they want is done.
final class SignInRunner {
  private let signIn: SignIn
  private let child: Child
  private let folder: SessionFolder
  private let links: LinkPipe
  private let files: CredentialFiles
  private var screen = TerminalScreen(.wide)
  private var log: SessionLog
  private var browser: Attendant?
  private var printed = 0
  private var answered: Set<Int> = []
  private var lastLook = ContinuousClock.now
  private var screenChanged: ContinuousClock.Instant?
  private var isOver = false
  private var ending: Ending?

  /// A program that prints more than this is not signing in.
  static let mostOutput = 4 << 20
  /// The screen has come to rest when nothing was printed for this long.
  private static let rest = Duration.milliseconds(100)
  private static let lookEvery = Duration.milliseconds(150)

  init(
    _ command: Command, folder: SessionFolder, waker: Waker, signIn: SignIn, log: SessionLog
  ) throws {
    self.signIn = signIn
    self.folder = folder
    self.log = log
    links = try LinkPipe.open(folder.pipe)
    files = CredentialFiles(home: folder.home, paths: signIn.provider.credentials)
    child = try Child.start(command, waker: waker)
    child.watching = [links.descriptor]
  }

  /// Runs until the session is over and nothing of it is left.
  func run() {
    handle(.started)
    while !isOver {
      if ending == nil { waitForChild() } else { waitForCredentials() }
      for letter in signIn.takeLetters() { handle(letter) }
      lookAtScreen()
      if .now - lastLook >= Self.lookEvery {
        lastLook = .now
        handle(.looked(files.look()))
      }
    }
    child.stop()
    browser?.stop()
    log.note("the session is over: \(signIn.facts.machine.state.rawValue)")
  }

  private func waitForChild() {
    let deadline = lastLook + Self.lookEvery
    switch child.next(before: min(deadline, screenChanged.map { $0 + Self.rest } ?? deadline)) {
    case .output(let bytes), .errors(let bytes):
      printed += bytes.count
      guard printed <= Self.mostOutput else {
        let message = "the program printed more than \(Self.mostOutput) bytes"
        return handle(.failed(SessionMachine.Failure(code: "too_much_output", message: message)))
      }
      child.send(screen.feed(bytes))
      screenChanged = .now
    case .readable:
      for link in links.read() where signIn.provider.isSignInLink(link) { handle(.captured(link)) }
    case .ended(let how):
      ending = how
      screenChanged = screenChanged.map { $0 - Self.rest }
      lookAtScreen()
      handle(.ended(how, lastWords: lastWords))
    case .woken, .deadline: break
    }
  }

  /// The program is gone; what it wrote may still have to settle.
  private func waitForCredentials() {
    // The child has ended, so this only waits for wake-ups and the next look.
    usleep(20_000)
  }

  private func lookAtScreen() {
    guard let changed = screenChanged, .now - changed >= Self.rest else { return }
    screenChanged = nil
    let text = screen.text
    log.show(text)
    for (index, prompt) in signIn.provider.prompts.enumerated() where text.contains(prompt.text) {
      if answered.insert(index).inserted {
        child.send(prompt.answer.utf8)
        log.note("answered '\(prompt.text)'")
      }
    }
    let asks = signIn.provider.codePrompt.map(text.contains) ?? false
    let link = screen.link(where: signIn.provider.isSignInLink)
    handle(.shown(link: link, asksForCode: asks))
  }

  /// The last lines of the screen, for a person who wants to know why it failed.
  private var lastWords: String {
    let lines = screen.text.split(separator: "\n").map(String.init)
      .filter { line in line.contains { $0 != " " } }
    return log.redaction.masked(String(lines.suffix(5).joined(separator: "\n").suffix(1000)))
  }

  private func handle(_ event: SessionMachine.Event) {
    if case .code(let code) = event { log.redaction.hide(code) }
    let before = signIn.facts.machine.state
    for action in signIn.handle(event, collect: files.collect) { perform(action) }
    let after = signIn.facts.machine.state
    if before != after { log.note("state \(after.rawValue)") }
  }

  private func perform(_ action: SessionMachine.Action) {
    switch action {
    case .openBrowser(let url): open(url)
    case .type(let text): child.send(text.utf8)
    case .checkStatus: checkStatus()
    case .stop: isOver = true
    }
  }

  private func open(_ url: String) {
    log.note("sign in at \(url)")
    browser?.stop()
    guard let command = signIn.browserCommand(for: url, folder) else { return }
    do {
      browser = try Attendant(command) { _ in }
    } catch {
      // The address is known, and the person may open it elsewhere.
      log.note("the browser did not start: \(error)")
    }
  }

  private func checkStatus() {
    guard let arguments = signIn.provider.status else { return }
    let command = Command(
      signIn.provider.program, arguments, environment: signIn.environment(folder),
      folder: folder.home)
    startThread { [signIn] in
      let result = VMBrowserAgent.run(command, limit: .seconds(10))
      signIn.post(.status(isSignedIn: result?.ending.isSuccess == true))
    }
  }
}
