internal import NIOCore
internal import Synchronization

/// A request and the way to answer it, from any thread, once.
public final class Exchange: Sendable {
  /// What the connection says to whoever produces a stream.
  private struct Flow {
    var waiting = 0
    var isClosed = false
    var listener: (@Sendable () -> Void)?
  }

  public let request: Request
  private let loop: any EventLoop
  /// Hands parts of the answer to the connection; called on its event loop.
  private let output: @Sendable (Part) -> Void
  private let flow = Mutex(Flow())

  enum Part: Sendable {
    case whole(status: Int, type: String, headers: [(String, String)], body: [UInt8])
    case start(type: String)
    case chunk([UInt8])
    case end
  }

  /// Bytes of a stream that may wait for a slow client before its producer has to.
  static let mostWaiting = 256 << 10

  init(_ request: Request, loop: any EventLoop, output: @escaping @Sendable (Part) -> Void) {
    self.request = request
    self.loop = loop
    self.output = output
  }

  /// Answers with a JSON value.
  public func respond(_ status: Int, _ json: JSON, headers: [(String, String)] = []) {
    respond(status, type: "application/json", body: json.bytes + [10], headers: headers)
  }

  public func respond(_ refusal: Refusal) {
    let headers = refusal.status == 401 ? [("WWW-Authenticate", "Bearer")] : []
    respond(refusal.status, refusal.json, headers: headers)
  }

  public func respond(
    _ status: Int, type: String, body: [UInt8], headers: [(String, String)] = []
  ) {
    put(.whole(status: status, type: type, headers: headers, body: body))
  }

  /// Begins an answer of unknown length; `send` and `finish` follow.
  public func startStream(type: String) { put(.start(type: type)) }

  /// Sends a piece of the stream; a producer of much first looks at `hasRoom`.
  public func send(_ bytes: [UInt8]) {
    let isClosed = flow.withLock { flow in
      flow.waiting += bytes.count
      return flow.isClosed
    }
    if !isClosed { put(.chunk(bytes)) }
  }

  public func finish() { put(.end) }

  /// Whether the client keeps up with what was sent.
  public var hasRoom: Bool { flow.withLock { $0.waiting < Self.mostWaiting } }

  /// Whether the client is gone.
  public var isClosed: Bool { flow.withLock { $0.isClosed } }

  /// Calls `listener`, on the event loop, whenever `hasRoom` or `isClosed` turns true.
  ///
  /// The listener is dropped once the connection or the answer has ended.
  public func notify(_ listener: @escaping @Sendable () -> Void) {
    let isClosed = flow.withLock { flow in
      if !flow.isClosed { flow.listener = listener }
      return flow.isClosed
    }
    if isClosed { listener() }
  }

  /// Runs `work` on the connection's event loop after a delay.
  public func after(_ delay: Duration, _ work: @escaping @Sendable () -> Void) {
    loop.scheduleTask(in: TimeAmount(delay), work)
  }

  private func put(_ part: Part) {
    if loop.inEventLoop { output(part) } else { loop.execute { self.output(part) } }
  }

  // What the connection reports.

  func wasSent(_ count: Int) {
    let listener = flow.withLock { flow in
      let was = flow.waiting
      flow.waiting -= count
      let turned = was >= Self.mostWaiting && flow.waiting < Self.mostWaiting
      return turned ? flow.listener : nil
    }
    listener?()
  }

  /// Whether some of the stream has not reached the client yet.
  var isWaiting: Bool { flow.withLock { $0.waiting > 0 } }

  func wasClosed() {
    let listener = flow.withLock { flow in
      flow.isClosed = true
      defer { flow.listener = nil }
      return flow.listener
    }
    listener?()
  }

  func hasEnded() { flow.withLock { $0.listener = nil } }
}
