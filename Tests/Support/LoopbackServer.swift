public import SystemPackage

/// An HTTP/1.1 server on 127.0.0.1 with faults to switch on, for tests of all that fetches.
///
/// It serves a folder, bytes from memory or what a closure answers, knows ranges and connections that
/// stay open, takes any free port, and stops when the last reference goes.
public final class LoopbackServer: Sendable {
  /// What a client asked for.
  public struct Request: Sendable, Equatable {
    public var method: String
    /// As it came: escapes and query included.
    public var target: String
    /// Names in lower case.
    public var headers: [String: String]

    /// `target` without its query.
    public var path: String { String(target.prefix { $0 != "?" }) }

    public init(method: String, target: String, headers: [String: String]) {
      self.method = method
      self.target = target
      self.headers = headers
    }
  }

  public struct Response: Sendable {
    public var status: Int
    public var headers: [String: String]
    public var body: [UInt8]

    public init(status: Int = 200, headers: [String: String] = [:], body: [UInt8] = []) {
      self.status = status
      self.headers = headers
      self.body = body
    }
  }

  /// What can go wrong with an answer.
  public enum Fault: Sendable {
    /// Another answer altogether: 404, 500, 429 with `Retry-After`, a redirect with `Location`.
    case answer(Response)
    /// The connection closes after so many bytes of the body.
    case truncated(after: Int)
    /// The connection is reset after so many bytes of the body; nil: before the head.
    case reset(after: Int?)
    /// Nothing more comes after so many bytes of the body, until `release()`; nil: no head either.
    case stalled(after: Int?)
    /// One byte in the middle of the body has another value.
    case wrongByte
    /// The body, and the length in the head, are so many bytes longer.
    case longer(by: Int)
    /// The body comes in pieces of so many bytes, a millisecond apart.
    case slow(piece: Int)

    public static func status(_ status: Int) -> Fault {
      .answer(Response(status: status, body: Array("status \(status)\n".utf8)))
    }

    public static func redirect(to url: String) -> Fault {
      .answer(Response(status: 302, headers: ["Location": url]))
    }

    public static func tooManyRequests(retryAfter: String) -> Fault {
      .answer(Response(status: 429, headers: ["Retry-After": retryAfter]))
    }
  }

  let core: LoopbackCore

  /// Starts a server.
  ///
  /// - Parameters:
  ///   - folder: files to serve under `/`.
  ///   - answer: asked first, nil leaves the request to bytes and files.
  public init(
    folder: FilePath? = nil, answer: (@Sendable (Request) -> Response?)? = nil
  ) throws {
    core = try LoopbackCore(folder: folder, answer: answer)
    core.start()
  }

  deinit { core.stop() }

  /// Closes all connections and accepts no more; the port then refuses connections.
  public func stop() { core.stop() }

  public var port: Int { core.port }

  /// `http://127.0.0.1:<port>`, and `path`, which begins with `/`.
  public func url(_ path: String = "") -> String { "http://127.0.0.1:\(port)\(path)" }

  /// Serves bytes under a path, which begins with `/`.
  public func serve(_ path: String, _ bytes: [UInt8]) {
    core.state.withLock { $0.bytes[path] = bytes }
  }

  /// Lets requests for a path go wrong from now on.
  ///
  /// - Parameter times: after so many requests the fault is over, and the next one given for the path
  ///   begins; nil: it stays.
  public func fail(_ path: String, _ fault: Fault, times: Int? = nil) {
    core.state.withLock { $0.faults[path, default: []].append((fault, times ?? .max)) }
  }

  /// Ends all faults of a path.
  public func heal(_ path: String) {
    core.state.withLock { _ = $0.faults.removeValue(forKey: path) }
  }

  /// Whether `Range` is obeyed; from now on.
  public func obeyRanges(_ isObeyed: Bool) {
    core.state.withLock { $0.hasRanges = isObeyed }
  }

  /// Lets stalled answers go on to their end.
  public func release() { core.state.withLock { $0.isReleased = true } }

  /// All requests that came, in order.
  public var requests: [Request] { core.state.withLock { $0.requests } }

  /// The most connections that were open at one time.
  public var mostConnections: Int { core.state.withLock { $0.mostConnections } }

  /// Waits until so many requests have come, ten seconds at most.
  public func waitForRequests(_ count: Int) async throws {
    for _ in 0..<5000 where requests.count < count {
      try await Task.sleep(for: .milliseconds(2))
    }
  }
}
