internal import Glibc

/// A connection to a server on this machine's loopback address, as bytes.
public final class Connection {
  private let socket: Int32

  public struct Failure: Error {
    public var operation: String
    public var code: Int32
  }

  /// - Parameter patience: seconds after which a read or write fails.
  public init(port: Int, patience: Int = 30) throws {
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard socket >= 0 else { throw Failure(operation: "socket", code: errno) }
    _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
    var time = timeval(tv_sec: patience, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, size)
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, size)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port).bigEndian)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard code == 0 else {
      let code = errno
      close(socket)
      throw Failure(operation: "connect", code: code)
    }
  }

  deinit { close(socket) }

  public func send(_ text: String) throws { try send(Array(text.utf8)) }

  public func send(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw Failure(operation: "send", code: errno) }
      rest = rest.dropFirst(count)
    }
  }

  /// What has arrived, or waits for it; empty at the end.
  public func receive() throws -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = recv(socket, &buffer, buffer.count, 0)
    guard count >= 0 else { throw Failure(operation: "receive", code: errno) }
    return Array(buffer[..<count])
  }

  /// Reads until the text so far satisfies `isEnough`, or to the end.
  public func receiveText(until isEnough: (String) -> Bool = { _ in false }) throws -> String {
    var bytes: [UInt8] = []
    while true {
      let more = try receive()
      bytes += more
      let text = String(decoding: bytes, as: UTF8.self)
      if more.isEmpty || isEnough(text) { return text }
    }
  }
}

/// What a server answered.
public struct HTTPAnswer: Sendable {
  public var status: Int
  public var head: String
  public var body: String
}

/// Sends one request to a server on this machine and reads the answer to its end.
public func ask(
  _ method: String, _ target: String, port: Int, token: String? = nil, body: String? = nil,
  headers: [String] = []
) throws -> HTTPAnswer {
  let connection = try Connection(port: port)
  try connection.send(requestText(method, target, token: token, body: body, headers: headers))
  let text = try connection.receiveText()
  guard let split = text.firstRange(of: "\r\n\r\n"),
    let status = Int(text.dropFirst("HTTP/1.1 ".count).prefix(3))
  else { throw Connection.Failure(operation: "read the answer '\(text)'", code: 0) }
  return HTTPAnswer(
    status: status, head: String(text[..<split.lowerBound]),
    body: String(text[split.upperBound...]))
}

/// A request that asks for the connection's end after the answer.
public func requestText(
  _ method: String, _ target: String, token: String? = nil, body: String? = nil,
  headers: [String] = []
) -> String {
  var lines = ["\(method) \(target) HTTP/1.1", "Host: localhost", "Connection: close"] + headers
  if let token { lines.append("Authorization: Bearer \(token)") }
  if let body { lines.append("Content-Length: \(body.utf8.count)") }
  return lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")
}
