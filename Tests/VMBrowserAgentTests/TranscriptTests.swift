import Foundation
import Support
import Terminal
import Testing

@testable import VMBrowserAgent

@Suite("What the real programs print")
struct TranscriptTests {
  private static let short =
    "https://claude.ai/oauth/authorize?Ab1-_Ab1-_Ab1-_Ab1-_Ab1-_Ab1-_Ab1-_Ab1-_Ab1-"

  @Test(
    "gives the sign-in address, the question for a code, and questions to the terminal",
    arguments: [
      ("claude-auth-login", "claude_code", WindowSize.wide, true, short, ""),
      (
        "claude-setup-token-80", "claude_code", WindowSize(rows: 24, columns: 80), true, short,
        "\u{1B}]11;rgb:0000/0000/0000\u{1B}\\\u{1B}[?62;22c\u{1B}P>|golden 1\u{1B}\\\u{1B}[?62;22c"
      ),
      (
        "codex-login", "codex", WindowSize.wide, false,
        "https://auth.openai.com/oauth/authorize?response_type=code&client_id=", ""
      ),
    ])
  func replay(
    name: String, provider: String, size: WindowSize, asksForCode: Bool, link: String,
    replies: String
  ) throws {
    let provider = try #require(Provider.builtIn.first { $0.name == provider })
    let bytes = try Data(contentsOf: fixture("signin/transcripts/\(name).bin"))
    var screen = TerminalScreen(size)
    #expect(String(decoding: screen.feed(bytes), as: UTF8.self) == replies)
    let found = try #require(screen.link(where: provider.isSignInLink))
    #expect(found.hasPrefix(link) && !found.contains("Paste"))
    #expect(asksForCode == provider.codePrompt.map(screen.text.contains) ?? false)
    if provider.name == "codex" { #expect(found.hasSuffix("&originator=codex_cli_rs")) }
    // The screen alone, without hyperlinks and unbroken text, gives the same.
    #expect(screen.screenLinks.contains(found))
  }
}
