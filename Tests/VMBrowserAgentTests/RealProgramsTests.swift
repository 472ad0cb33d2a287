import AgentHTTP
import Foundation
import Support
import Terminal
import Testing

/// The real programs, as the wheels of their makers carry them.
@Suite(
  "The real programs",
  .enabled(if: isLong, "downloads 200 MB of wheels; set BUILD_SNAPSHOT_LONG_TESTS=1"),
  .enabled(if: hasTool("python3"), "needs pip"))
struct RealProgramsTests {
  @Test("codex shows its sign-in address under a terminal, and refuses to start without one")
  func codex() throws {
    let folder = try unpackPrograms(
      of: "openai-codex-cli-bin==0.163.0", ["codex": "codex_cli_bin/bin/codex"])
    let programs = (folder / "bin").string
    let agent = try AgentProcess(browser: "", programs: programs)
    let id = try agent.begin("codex_cli")
    let session = try agent.wait(id, for: "pending")
    #expect(session["state"] == "pending", "\(session)")
    #expect(session["url"]?.string?.hasPrefix("https://auth.openai.com/oauth/authorize?") == true)
    #expect(session["url"]?.string?.contains("%3A1455%2Fauth%2Fcallback") == true)
    #expect(try agent.ask("DELETE", "/v1/sessions/\(id)").1["state"] == "cancelled")
    #expect(agent.others.isEmpty)

    let home = ["HOME": (folder / "home").string, "PATH": "/usr/bin:/bin"]
    try folder.write("home/.keep", "")
    let piped = try runTool("\(programs)/codex", environment: home)
    #expect(piped.status == 1 && piped.errors.contains("is not a terminal"))
  }

  @Test("claude shows its sign-in address, or says itself why not")
  func claude() throws {
    let folder = try unpackPrograms(
      of: "claude-agent-sdk==0.2.187", ["claude": "claude_agent_sdk/_bundled/claude"])
    let agent = try AgentProcess(browser: "", programs: (folder / "bin").string)
    for mode in ["loopback", "code"] {
      let id = try agent.begin("claude_code", ["mode": .string(mode), "timeoutSec": 60])
      let session = try agent.wait(id, for: "pending")
      if session["state"] == "pending" {
        let url = try #require(session["url"]?.string)
        // With a code to paste it shows a short address, without a query of the usual kind.
        #expect(url.contains("/oauth/authorize?"))
        #expect(url.contains("redirect_uri=http%3A%2F%2Flocalhost") == (mode == "loopback"))
      } else {
        #expect(session["error"]?["code"] == "cli_exited", "\(session)")
      }
      _ = try agent.ask("DELETE", "/v1/sessions/\(id)")
    }
    #expect(agent.others.isEmpty)
  }
}
