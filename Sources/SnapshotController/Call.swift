internal import AgentHTTP
internal import Glibc

/// An answer of an agent.
struct Answer: Sendable {
  var status: Int
  var body: JSON?
}

/// Asks an agent, waiting at most `limit` seconds for each step; nil when it does not answer.
func call(
  _ method: String, _ path: String, at address: String, token: String?, body: JSON? = nil,
  limit: Int = 5
) -> Answer? {
  guard let (host, port) = try? Options.address(address) else { return nil }
  var target = sockaddr_in()
  target.sin_family = sa_family_t(AF_INET)
  target.sin_port = in_port_t(port).bigEndian
  guard inet_pton(AF_INET, host, &target.sin_addr) == 1 else { return nil }
  let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
  guard socket >= 0 else { return nil }
  defer { close(socket) }
  var time = timeval(tv_sec: limit, tv_usec: 0)
  for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
    setsockopt(socket, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
  }
  let connected = withUnsafePointer(to: &target) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
  guard connected == 0 else { return nil }
  let content = body?.bytes ?? []
  var head = "\(method) \(path) HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n"
  if let token { head += "Authorization: Bearer \(token)\r\n" }
  head += "Content-Length: \(content.count)\r\n\r\n"
  var rest = Array(head.utf8)[...] + content
  while !rest.isEmpty {
    let count = rest.withUnsafeBytes {
      send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
    }
    guard count > 0 else { return nil }
    rest = rest.dropFirst(count)
  }
  return readAnswer(socket)
}

/// Reads head and body to the end of the connection, up to 4 MiB: credentials are up to 1 MiB a file.
private func readAnswer(_ socket: Int32) -> Answer? {
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 16384)
  while bytes.count < 4 << 20 {
    let count = recv(socket, &buffer, buffer.count, 0)
    if count <= 0 { break }
    bytes += buffer[..<count]
    if let answer = answer(bytes, isWhole: false) { return answer }
  }
  return answer(bytes, isWhole: true)
}

/// Nil while the head, or a body of known length, is not whole.
private func answer(_ bytes: [UInt8], isWhole: Bool) -> Answer? {
  let end = Array("\r\n\r\n".utf8)
  guard let start = bytes.firstRange(of: end) else { return nil }
  let lines = String(decoding: bytes[..<start.lowerBound], as: UTF8.self)
    .split(separator: "\r\n")
  let words = lines.first?.split(separator: " ") ?? []
  guard words.count >= 2, words[0].hasPrefix("HTTP/"), let status = Int(words[1]) else {
    return nil
  }
  let body = Array(bytes[start.upperBound...])
  let length = lines.first { $0.lowercased().hasPrefix("content-length:") }
    .flatMap { Int($0.dropFirst("content-length:".count).drop { $0 == " " }) }
  if let length, body.count < length { return nil }
  if length == nil, !isWhole { return nil }
  // An answer that is no JSON has a status all the same.
  return Answer(
    status: status, body: try? JSON(parsing: length.map { Array(body.prefix($0)) } ?? body))
}
