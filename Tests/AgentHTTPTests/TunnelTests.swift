import AgentHTTP
import Glibc
import Support
import Testing

private let token = "0123456789abcdef0123"

/// A server that says 101 and then, in capitals, whatever it is told; it lasts for one connection.
private final class Shouter: Sendable {
  let port: Int
  private let socket: Int32

  init() throws {
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let socket = socket
    let code = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(socket, address, size) | listen(socket, 4) | getsockname(socket, address, &size)
      }
    }
    try #require(code == 0)
    port = Int(UInt16(bigEndian: address.sin_port))
    startThread {
      let connection = accept(socket, nil, nil)
      var buffer = [UInt8](repeating: 0, count: 65536)
      var head = ""
      while !head.contains("\r\n\r\n") {
        let count = read(connection, &buffer, buffer.count)
        if count <= 0 { break }
        head += String(decoding: buffer[..<count], as: UTF8.self)
      }
      let answer = "HTTP/1.1 101 Switching\r\n\r\n" + head
      _ = write(connection, answer, answer.utf8.count)
      while true {
        let count = read(connection, &buffer, buffer.count)
        if count <= 0 { break }
        let shout = buffer[..<count].map { (97...122).contains($0) ? $0 - 32 : $0 }
        _ = send(connection, shout, shout.count, Int32(MSG_NOSIGNAL))
      }
      close(connection)
    }
  }

  deinit { close(socket) }
}

@Suite("Tunnels to other servers")
struct TunnelTests {
  private func withTunnel(to port: Int, _ body: (Int) throws -> Void) throws {
    let server = try Server.start(
      host: "127.0.0.1", port: 0, gate: TokenGate([.fixed(token)]),
      tunnel: TunnelRoute("vnc", port: port)
    ) { $0.respond(200, ["tunnelled": false]) }
    let result = Result { try body(server.port) }
    try server.stop()
    try result.get()
  }

  @Test("pass a WebSocket through, without the token, to who bears it")
  func webSocket() throws {
    let shouter = try Shouter()
    try withTunnel(to: shouter.port) { port in
      let upgrade = ["Upgrade: websocket", "Sec-WebSocket-Key: abc"]
      #expect(try ask("GET", "/vnc/websockify", port: port, headers: upgrade).status == 401)
      #expect(try ask("GET", "/vncx", port: port, token: token).body.contains("tunnelled"))
      #expect(try ask("POST", "/vnc/x", port: port, token: token).body.contains("tunnelled"))
      let connection = try Connection(port: port)
      try connection.send(
        requestText("GET", "/vnc/websockify?a=b", token: token, headers: upgrade))
      let head = try connection.receiveText { $0.components("\r\n\r\n") >= 2 }
      #expect(head.hasPrefix("HTTP/1.1 101 Switching\r\n\r\nGET /websockify?a=b HTTP/1.1\r\n"))
      #expect(head.contains("Upgrade: websocket") && !head.contains(token))
      let large = String(repeating: "hello ", count: 100_000)
      startThread { [sent = Unchecked(connection)] in try? sent.value.send(large) }
      let loud = try connection.receiveText { $0.utf8.count >= large.utf8.count }
      #expect(loud == large.uppercased())
    }
  }

  @Test("let the other server close after a plain request")
  func plain() throws {
    let shouter = try Shouter()
    try withTunnel(to: shouter.port) { port in
      let connection = try Connection(port: port)
      try connection.send("GET /vnc HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(token)\r\n\r\n")
      let head = try connection.receiveText { $0.components("\r\n\r\n") >= 2 }
      #expect(head.contains("GET / HTTP/1.1\r\n") && head.contains("connection: close"))
    }
  }

  @Test("say so when nobody is there")
  func absent() throws {
    // Port 1 is nobody's.
    try withTunnel(to: 1) { server in
      let answer = try ask("GET", "/vnc/", port: server, token: token)
      #expect(answer.status == 502)
    }
  }
}

/// A connection that one thread writes to while another reads, which sockets allow.
private struct Unchecked: @unchecked Sendable {
  var value: Connection
  init(_ value: Connection) { self.value = value }
}

extension String {
  /// How often a text occurs.
  fileprivate func components(_ text: String) -> Int { ranges(of: text).count }
}
