import Support
import Testing

@Suite("The tests' server, judged by curl", .enabled(if: hasTool("curl"), "needs curl"))
struct LoopbackServerTests {
  let server: LoopbackServer
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.write("pool/a b.deb", "from a file")
    server = try LoopbackServer(folder: folder.path) { request in
      request.path == "/asked" ? .init(body: Array(request.target.utf8)) : nil
    }
    server.serve("/memory", Array("from memory".utf8))
  }

  @Test func bytesFilesAndAnswersAreServedOverOneConnection() throws {
    let urls = ["/memory", "/pool/a%20b.deb", "/asked?x=1", "/none", "/../etc/passwd"]
    let result = try curl(urls.map { server.url($0) })
    #expect(result.output == "from memoryfrom a file/asked?x=1no such file\nno such file\n")
    #expect(server.requests.count == 5 && server.mostConnections == 1)
  }

  @Test func rangesAreObeyedOrNot() throws {
    #expect(try curl(["-r", "5-", server.url("/memory")]).output == "memory")
    #expect(try curl(["-r", "5-7", server.url("/memory")]).output == "mem")
    #expect(try status(["-r", "11-"]) == "416")
    server.obeyRanges(false)
    #expect(try curl(["-r", "5-", server.url("/memory")]).output == "from memory")
  }

  @Test(
    "a fault is what curl calls it",
    arguments: [
      (.truncated(after: 3), 18), (.reset(after: 3), 56), (.reset(after: nil), 56),
      (.stalled(after: 3), 28), (.stalled(after: nil), 28),
    ] as [(LoopbackServer.Fault, Int32)])
  func faults(fault: LoopbackServer.Fault, expected: Int32) throws {
    server.fail("/memory", fault, times: 1)
    #expect(try curl(["-m", "0.2", server.url("/memory")]).status == expected)
    #expect(try curl([server.url("/memory")]).output == "from memory")
  }

  @Test func answersAndBytesGoWrong() throws {
    server.fail("/memory", .tooManyRequests(retryAfter: "7"), times: 1)
    server.fail("/memory", .status(500), times: 1)
    server.fail("/memory", .redirect(to: server.url("/asked")), times: 1)
    server.fail("/memory", .wrongByte, times: 1)
    server.fail("/memory", .longer(by: 2), times: 1)
    server.fail("/memory", .slow(piece: 4), times: 1)
    #expect(try curl(["-i", server.url("/memory")]).output.contains("\r\nRetry-After: 7\r\n"))
    #expect(try status() == "500")
    #expect(try curl(["-L", server.url("/memory")]).output == "/asked")
    #expect(try curl([server.url("/memory")]).output == "from lemory")
    #expect(try curl([server.url("/memory")]).output == "from memory\0\0")
    #expect(try curl([server.url("/memory")]).output == "from memory")
  }

  @Test func aStoppedServerRefusesConnections() throws {
    server.stop()
    #expect(try curl([server.url("/memory")]).status == 7)
  }

  private func curl(_ arguments: [String]) throws -> ToolResult {
    try runTool("curl", ["-sS", "--noproxy", "*", "--path-as-is"] + arguments)
  }

  private func status(_ arguments: [String] = []) throws -> String {
    try curl(
      arguments + ["-o", "/dev/null", "-w", "%{http_code}", server.url("/memory")]
    ).output
  }
}
