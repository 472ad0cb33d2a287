internal import Foundation
internal import Synchronization
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// The threads and sockets of a `LoopbackServer`; they hold this object, never the server itself.
final class LoopbackCore: Sendable {
  struct State {
    var bytes: [String: [UInt8]] = [:]
    var faults: [String: [(fault: LoopbackServer.Fault, times: Int)]] = [:]
    var hasRanges = true
    var isReleased = false
    var isStopped = false
    var requests: [LoopbackServer.Request] = []
    var connections: Set<Int32> = []
    var mostConnections = 0
  }

  let state = Mutex(State())
  let port: Int
  private let listener: Int32
  private let folder: FilePath?
  private let answer: (@Sendable (LoopbackServer.Request) -> LoopbackServer.Response?)?

  init(
    folder: FilePath?, answer: (@Sendable (LoopbackServer.Request) -> LoopbackServer.Response?)?
  ) throws {
    self.folder = folder
    self.answer = answer
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let isBound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 64) == 0
          && getsockname(listener, $0, &length) == 0
      }
    }
    guard isBound else { throw Errno(rawValue: errno) }
    port = Int(UInt16(bigEndian: address.sin_port))
  }

  func start() {
    Thread.detachNewThread { [self] in
      while true {
        let client = accept(listener, nil, nil)
        let reason = errno
        if client >= 0 { _ = fcntl(client, F_SETFD, FD_CLOEXEC) }
        let goesOn = state.withLock { state in
          guard !state.isStopped else { return false }
          if client >= 0 { state.connections.insert(client) }
          state.mostConnections = max(state.mostConnections, state.connections.count)
          return true
        }
        guard goesOn, client >= 0 || reason == EINTR || reason == ECONNABORTED else {
          if client >= 0 { close(client) }
          break
        }
        if client >= 0 { Thread.detachNewThread { self.converse(with: client) } }
      }
      close(listener)
    }
  }

  func stop() {
    state.withLock { state in
      guard !state.isStopped else { return }
      state.isStopped = true
      // Wakes the threads that wait; each closes its own.
      shutdown(listener, Int32(SHUT_RDWR))
      for client in state.connections { shutdown(client, Int32(SHUT_RDWR)) }
    }
  }

  /// Answers one connection's requests until it ends.
  private func converse(with client: Int32) {
    var one: Int32 = 1
    setsockopt(client, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    var pending = [UInt8]()
    while let request = nextRequest(from: client, &pending) {
      let (fault, hasRanges) = state.withLock { state in
        state.requests.append(request)
        return (state.nextFault(for: request.path), state.hasRanges)
      }
      guard reply(to: request, fault, hasRanges, on: client) else { break }
    }
    state.withLock { _ = $0.connections.remove(client) }
    close(client)
  }

  private func nextRequest(from client: Int32, _ pending: inout [UInt8]) -> LoopbackServer.Request?
  {
    let end = Array("\r\n\r\n".utf8)
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      if let range = pending.firstRange(of: end) {
        let head = String(decoding: pending[..<range.lowerBound], as: UTF8.self)
        pending.removeSubrange(..<range.upperBound)
        return LoopbackServer.Request(head: head)
      }
      let count = recv(client, &buffer, buffer.count, 0)
      guard count > 0, pending.count < 1 << 20 else { return nil }
      pending += buffer[..<count]
    }
  }

  /// Sends one answer; false when the connection shall end.
  private func reply(
    to request: LoopbackServer.Request, _ fault: LoopbackServer.Fault?, _ hasRanges: Bool,
    on client: Int32
  ) -> Bool {
    if case .reset(after: nil) = fault { return reset(client) }
    if case .stalled(after: nil) = fault, !stall(client) { return false }
    var response = response(to: request)
    if case .answer(let other) = fault { response = other }
    if case .longer(let extra) = fault { response.body += Array(repeating: 0, count: extra) }
    if hasRanges, response.status == 200 { response.cut(to: request.headers["range"]) }
    if case .wrongByte = fault, !response.body.isEmpty {
      response.body[response.body.count / 2] ^= 1
    }
    guard send(response.head, to: client) else { return false }
    guard request.method != "HEAD" else { return true }
    switch fault {
    case .truncated(let count): return send(response.body.prefix(count), to: client) && false
    case .reset(let count?): return send(response.body.prefix(count), to: client) && reset(client)
    case .stalled(let count?):
      return send(response.body.prefix(count), to: client) && stall(client)
        && send(response.body.dropFirst(count), to: client)
    case .slow(let piece):
      for start in stride(from: 0, to: response.body.count, by: piece) {
        usleep(1000)
        guard send(response.body.dropFirst(start).prefix(piece), to: client) else { return false }
      }
      return true
    default: return send(response.body[...], to: client)
    }
  }

  private func response(to request: LoopbackServer.Request) -> LoopbackServer.Response {
    if let response = answer?(request) { return response }
    let path = request.path.removingPercentEncoding ?? request.path
    let known = state.withLock { $0.bytes[request.path] ?? $0.bytes[path] }
    if let known { return LoopbackServer.Response(body: known) }
    // A file that cannot be read is, to a client, not there.
    if let folder, !path.split(separator: "/").contains(".."),
      let data = try? Data(contentsOf: URL(fileURLWithPath: folder.string + path))
    {
      return LoopbackServer.Response(body: Array(data))
    }
    return LoopbackServer.Response(status: 404, body: Array("no such file\n".utf8))
  }

  private func send(_ bytes: some Sequence<UInt8>, to client: Int32) -> Bool {
    var rest = Array(bytes)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  /// Makes closing send a reset instead of an end.
  private func reset(_ client: Int32) -> Bool {
    var atOnce = linger(l_onoff: 1, l_linger: 0)
    setsockopt(client, SOL_SOCKET, SO_LINGER, &atOnce, socklen_t(MemoryLayout<linger>.size))
    return false
  }

  /// Waits until `release()`; false when the client or the server goes before.
  private func stall(_ client: Int32) -> Bool {
    while true {
      let (isReleased, isStopped) = state.withLock { ($0.isReleased, $0.isStopped) }
      if isReleased || isStopped { return isReleased && !isStopped }
      var watched = pollfd(fd: client, events: closedByPeer, revents: 0)
      if poll(&watched, 1, 5) > 0 { return false }
    }
  }
}

/// `POLLRDHUP` of <bits/poll.h>, which Glibc's module leaves out.
private let closedByPeer: Int16 = 0x2000

extension LoopbackCore.State {
  fileprivate mutating func nextFault(for path: String) -> LoopbackServer.Fault? {
    guard let index = faults[path]?.firstIndex(where: { $0.times > 0 }) else { return nil }
    faults[path]?[index].times -= 1
    return faults[path]?[index].fault
  }
}

extension LoopbackServer.Request {
  fileprivate init(head: String) {
    let lines = head.split(separator: "\r\n", omittingEmptySubsequences: false)
    let words = (lines.first ?? "").split(separator: " ")
    var headers = [String: String]()
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] =
        line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    self.init(
      method: words.first.map(String.init) ?? "",
      target: words.count > 1 ? String(words[1]) : "", headers: headers)
  }
}

extension LoopbackServer.Response {
  /// Leaves what `bytes=<first>-<last>` asks for; other forms are not obeyed.
  fileprivate mutating func cut(to range: String?) {
    guard let range, range.hasPrefix("bytes=") else { return }
    let ends = range.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
    guard ends.count == 2, let first = Int(ends[0]) else { return }
    guard first < body.count else {
      self = LoopbackServer.Response(
        status: 416, headers: ["Content-Range": "bytes */\(body.count)"])
      return
    }
    let last = min(Int(ends[1]) ?? .max, body.count - 1)
    headers["Content-Range"] = "bytes \(first)-\(last)/\(body.count)"
    status = 206
    body = Array(body[first...max(first, last)])
  }

  fileprivate var head: [UInt8] {
    var text = "HTTP/1.1 \(status) Status\r\nContent-Length: \(body.count)\r\n"
    for (name, value) in headers.sorted(by: { $0.key < $1.key }) { text += "\(name): \(value)\r\n" }
    return Array((text + "\r\n").utf8)
  }
}
