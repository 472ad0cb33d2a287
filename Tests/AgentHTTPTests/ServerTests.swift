import AgentHTTP
import Foundation
import Support
import Testing

private let token = "0123456789abcdef0123"

/// A server whose paths show what a server can do.
private func withServer<Result>(
  _ limits: ServerLimits = ServerLimits(), gate: TokenGate = TokenGate([.fixed(token)]),
  _ body: (Int) throws -> Result
) throws -> Result {
  let server = try Server.start(host: "127.0.0.1", port: 0, gate: gate, limits: limits) {
    exchange in
    switch exchange.request.path.last {
    case "echo": exchange.respond(200, type: "text/plain", body: exchange.request.body)
    case "path": exchange.respond(200, ["path": .array(exchange.request.path.map { .string($0) })])
    case "later": startThread { exchange.respond(200, ["late": true]) }
    case "events":
      let stream = EventStream(to: exchange)
      for number in 1...3 { stream.send("count", ["n": .integer(number)]) }
      stream.finish()
    case "flood":
      startThread {
        exchange.startStream(type: "text/plain")
        var sent = 0
        while !exchange.isClosed {
          if exchange.hasRoom {
            exchange.send(Array(repeating: 65, count: 65536))
            sent += 1
          } else {
            usleep(1000)
          }
        }
      }
    default: exchange.respond(200, ["status": "ok"])
    }
  }
  let result = Outcome(catching: { try body(server.port) })
  try server.stop()
  return try result.get()
}

private typealias Outcome<Value> = Swift.Result<Value, any Error>

@Suite("The agents' HTTP server")
struct ServerTests {
  @Test("answers who bears the token, and tells others nothing but that it is there")
  func tokens() throws {
    try withServer { port in
      #expect(try ask("GET", "/health", port: port).status == 200)
      #expect(try ask("GET", "/x", port: port, token: token).status == 200)
      for wrong in [nil, "", "x", token + "0", String(token.dropLast()), token.uppercased()] {
        let answer = try ask("POST", "/echo", port: port, token: wrong, body: "secret")
        #expect(answer.status == 401)
        #expect(answer.head.contains("WWW-Authenticate: Bearer"))
        #expect(!answer.body.contains("secret"))
      }
    }
  }

  @Test("answers nobody before there is a token, and takes one that comes later")
  func lateToken() throws {
    let folder = try TemporaryFolder()
    let file = folder / "token"
    try withServer(gate: TokenGate([.file(file.string)])) { port in
      #expect(try ask("GET", "/x", port: port, token: token).status == 503)
      try folder.write("token", "short\n")
      #expect(try ask("GET", "/x", port: port, token: "short").status == 503)
      try folder.write("token", token + "\n")
      #expect(try ask("GET", "/x", port: port, token: token).status == 200)
      #expect(try ask("GET", "/x", port: port, token: "short").status == 401)
    }
  }

  @Test("says what it is, and nothing to other sites")
  func headers() throws {
    try withServer { port in
      let answer = try ask(
        "GET", "/x", port: port, token: token, headers: ["Origin: http://a.example"])
      #expect(answer.head.contains("Content-Type: application/json"))
      #expect(answer.head.contains("Cache-Control: no-store"))
      #expect(!answer.head.lowercased().contains("access-control"))
      #expect(try ask("OPTIONS", "/x", port: port).status == 401)
    }
  }

  @Test("refuses bodies, headers and addresses that are too large, and what is no request")
  func limits() throws {
    try withServer { port in
      let large = String(repeating: "x", count: 10 << 20)
      #expect(
        try ask("POST", "/echo", port: port, token: token, headers: ["Content-Length: 10485760"])
          .status == 413)
      let chunked = try Connection(port: port)
      try chunked.send(
        "POST /echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(token)\r\nTransfer-Encoding: chunked\r\n\r\na00000\r\n"
      )
      // The server may hang up on us before all of it is sent.
      try? chunked.send(large)
      #expect(try chunked.receiveText { $0.contains("}}") }.hasPrefix("HTTP/1.1 413"))
      let body = String(repeating: "y", count: 1 << 20)
      #expect(try ask("POST", "/echo", port: port, token: token, body: body).body == body)
      #expect(
        try ask("GET", "/x", port: port, headers: ["X: " + String(repeating: "h", count: 40000)])
          .status == 431)
      #expect(
        [400, 431].contains(
          try ask("GET", "/" + String(repeating: "u", count: 12000), port: port, token: token)
            .status))
      #expect(try ask("GET", "/%zz", port: port, token: token).status == 400)
      #expect(try ask("GET", "x", port: port, token: token).status == 400)
      let garbage = try Connection(port: port)
      try garbage.send("\u{16}\u{3}\u{1} not http\r\n\r\n")
      #expect(try garbage.receiveText().hasPrefix("HTTP/1.1 400"))
    }
  }

  @Test("decodes paths part by part")
  func paths() throws {
    try withServer { port in
      let answer = try ask("GET", "/a%2Fb/../c%20d/path", port: port, token: token)
      #expect(answer.body == "{\"path\":[\"a/b\",\"..\",\"c d\",\"path\"]}\n")
    }
  }

  @Test("cuts off clients that take too long to ask")
  func slowClients() throws {
    var limits = ServerLimits()
    limits.requestTime = .milliseconds(200)
    try withServer(limits) { port in
      for start in [
        "", "GET /health HT",
        "POST /echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(token)\r\nContent-Length: 5\r\n\r\nab",
      ] {
        let slow = try Connection(port: port, patience: 10)
        try slow.send(start)
        #expect(try slow.receiveText { _ in false } == "")
      }
    }
  }

  @Test("keeps connections alive for one request after the other")
  func keepAlive() throws {
    try withServer { port in
      let connection = try Connection(port: port)
      for _ in 0..<3 {
        try connection.send(
          "GET /later HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(token)\r\n\r\n")
        let answer = try connection.receiveText { $0.hasSuffix("}\n") }
        #expect(answer.hasSuffix("{\"late\":true}\n"))
      }
    }
  }

  @Test("serves 500 connections at once, or says that it is busy")
  func manyConnections() throws {
    try withServer { port in
      let connections = try (0..<500).map { _ in try Connection(port: port) }
      var statuses: [String: Int] = [:]
      for connection in connections {
        // One that was turned away may be closed already.
        try? connection.send(requestText("GET", "/health"))
        statuses[String(try connection.receiveText().prefix(12)), default: 0] += 1
      }
      #expect(statuses["HTTP/1.1 200"] ?? 0 >= 128)
      #expect(statuses["HTTP/1.1 200", default: 0] + statuses["HTTP/1.1 503", default: 0] == 500)
      #expect(try ask("GET", "/health", port: port).status == 200)
    }
  }

  @Test("streams events as JSON lines or as server-sent events")
  func events() throws {
    try withServer { port in
      let lines = try ask("GET", "/events", port: port, token: token)
      #expect(lines.body.contains("{\"event\":\"count\",\"n\":3}\n"))
      let sent = try ask(
        "GET", "/events", port: port, token: token, headers: ["Accept: text/event-stream"])
      #expect(sent.head.contains("Content-Type: text/event-stream"))
      #expect(sent.body.contains("event: count\ndata: {\"n\":3}\n\n"))
    }
  }

  @Test(
    "makes the producer of a stream wait for a client that does not read, and cuts it off in the end"
  )
  func stalledReader() throws {
    var limits = ServerLimits()
    limits.stallTime = .milliseconds(300)
    try withServer(limits) { port in
      let connection = try Connection(port: port)
      try connection.send(requestText("GET", "/flood", token: token))
      #expect(try connection.receiveText { $0.contains("AAA") }.hasPrefix("HTTP/1.1 200"))
      usleep(900_000)  // the client's patience is the subject here
      var count = 0
      // The end may come as a reset.
      while let more = try? connection.receive(), !more.isEmpty { count += more.count }
      #expect(count < 64 << 20)
    }
  }
}

@Suite("The agents' log")
struct AgentLogTests {
  @Test("has one JSON object a line and starts anew when it is full")
  func rotation() throws {
    let folder = try TemporaryFolder()
    let log = AgentLog(path: (folder / "log").string, limit: 1000, kept: 2)
    for number in 0..<60 { log.write("event", ["number": .integer(number), "text": "a\nb"]) }
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path.string).sorted()
    #expect(names == ["log", "log.1", "log.2"])
    var last = -1
    for name in ["log.2", "log.1", "log"] {
      let bytes = try #require(contents(of: (folder / name).string, limit: 10000))
      #expect(bytes.count <= 1000)
      for line in bytes.split(separator: 10) {
        let value = try JSON(parsing: line)
        let number = try #require(value["number"]?.integer)
        #expect(last == -1 || number == last + 1)
        #expect(value["time"]?.string?.count == 24)
        last = number
      }
    }
    #expect(last == 59)
  }
}
