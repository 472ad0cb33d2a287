internal import NIOCore
internal import NIOHTTP1

/// One connection: collects a request within its limits, hands it over, and writes the answer.
///
/// Who bears no token is refused at the head, before a byte of the body is kept. Requests come one after
/// the other; one that comes before the answer to the last one ends the connection.
final class ConnectionHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private enum State {
    case idle
    case reading(Request, keepsAlive: Bool)
    case answering(Exchange, keepsAlive: Bool, isStream: Bool)
    /// A request for another server has been read, and at its end goes there.
    case handingOver(ByteBuffer, port: Int)
    case closing
  }

  private let server: ServerRules
  private var state = State.idle
  /// Ends a connection whose request, or whose next read of our answer, takes too long.
  private var deadline: Scheduled<Void>?

  init(_ server: ServerRules) { self.server = server }

  func channelActive(context: ChannelHandlerContext) {
    expectProgress(context, within: server.limits.requestTime)
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    deadline?.cancel()
    if case .answering(let exchange, _, _) = state { exchange.wasClosed() }
    state = .closing
    context.fireChannelInactive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch (unwrapInboundIn(data), state) {
    case (.head(let head), .idle): begin(head, context)
    case (.body(let buffer), .reading(var request, let keepsAlive)):
      // The state lets go of the body first, so that it grows in place.
      state = .idle
      guard request.body.count + buffer.readableBytes <= server.limits.body else {
        return refuse(Refusal(413, "too_large", "the body is larger than allowed"), context)
      }
      request.body += buffer.readableBytesView
      state = .reading(request, keepsAlive: keepsAlive)
    case (.end, .reading(let request, let keepsAlive)):
      hand(over: request, keepsAlive: keepsAlive, context)
    case (.end, .handingOver(let request, let port)): handOver(request, to: port, context)
    case (.head, .answering): context.close(promise: nil)
    default: break  // what still arrives while the connection closes
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    switch (error as? HTTPParserError, state) {
    case (.headerOverflow?, .idle):
      refuse(Refusal(431, "headers_too_large", "the headers are larger than allowed"), context)
    case (.some, .idle), (.some, .reading):
      refuse(Refusal(400, "bad_request", "this is no HTTP/1.1 request"), context)
    default: context.close(promise: nil)
    }
  }

  private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    guard head.uri.utf8.count <= 8192,
      var request = Request(
        method: head.method.rawValue, target: head.uri,
        accept: head.headers[canonicalForm: "accept"].joined(separator: ","))
    else { return refuse(Refusal(400, "bad_target", "the address is no plain path"), context) }
    do throws(Refusal) {
      try server.gate.check(head.headers.first(name: "authorization"))
      request.isTrusted = true
    } catch {
      if !server.isPublic(request) { return refuse(error, context) }
    }
    if request.isTrusted, let tunnel = server.tunnel, let rewritten = tunnel.rewritten(head) {
      state = .handingOver(rewritten, port: tunnel.port)
      return
    }
    if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }),
      length > server.limits.body
    {
      return refuse(Refusal(413, "too_large", "the body is larger than allowed"), context)
    }
    if head.headers.first(name: "expect")?.lowercased() == "100-continue" {
      let proceed = HTTPResponseHead(version: .http1_1, status: .continue)
      context.writeAndFlush(wrapOutboundOut(.head(proceed)), promise: nil)
    }
    state = .reading(request, keepsAlive: head.isKeepAlive)
  }

  private func handOver(_ request: ByteBuffer, to port: Int, _ context: ChannelHandlerContext) {
    deadline?.cancel()
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    digTunnel(to: port, for: context.channel, request: request).whenFailure { _ in
      let (handler, context) = bound.value
      handler.refuse(Refusal(502, "no_answer", "the server behind this path is not there"), context)
    }
  }

  private func hand(over request: Request, keepsAlive: Bool, _ context: ChannelHandlerContext) {
    deadline?.cancel()
    let handler = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    let exchange = Exchange(request, loop: context.eventLoop) { part in
      handler.value.0.write(part, handler.value.1)
    }
    state = .answering(exchange, keepsAlive: keepsAlive, isStream: false)
    server.handle(exchange)
  }

  /// Answers and closes: what follows in the connection is not worth reading.
  private func refuse(_ refusal: Refusal, _ context: ChannelHandlerContext) {
    state = .closing
    let headers = refusal.status == 401 ? [("WWW-Authenticate", "Bearer")] : []
    let body = refusal.json.bytes + [10]
    writeHead(
      refusal.status, "application/json", headers + [("Content-Length", "\(body.count)")],
      keepsAlive: false, context)
    context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    // A close with unread bytes would reset the connection before the client has read the answer: it
    // gets a moment to stop sending.
    context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
      let (handler, context) = bound.value
      context.close(mode: .output, promise: nil)
      handler.expectProgress(context, within: handler.server.limits.lingerTime)
    }
  }

  private func write(_ part: Exchange.Part, _ context: ChannelHandlerContext) {
    guard case .answering(let exchange, let keepsAlive, let isStream) = state else { return }
    switch part {
    case .whole(let status, let type, let headers, let body):
      let length = [("Content-Length", "\(body.count)")]
      writeHead(status, type, headers + length, keepsAlive: keepsAlive, context)
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
      end(exchange, keepsAlive: keepsAlive, context)
    case .start(let type):
      state = .answering(exchange, keepsAlive: keepsAlive, isStream: true)
      writeHead(
        200, type, [("Transfer-Encoding", "chunked"), ("X-Accel-Buffering", "no")],
        keepsAlive: keepsAlive, context)
      context.flush()
    case .chunk(let bytes) where isStream:
      let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
      expectProgress(context, within: server.limits.stallTime)
      context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: bytes)))))
        .whenComplete { _ in
          let (handler, context) = bound.value
          guard case .answering = handler.state else { return exchange.wasSent(bytes.count) }
          handler.deadline?.cancel()
          exchange.wasSent(bytes.count)
          if exchange.isWaiting {
            handler.expectProgress(context, within: handler.server.limits.stallTime)
          }
        }
    case .end where isStream: end(exchange, keepsAlive: keepsAlive, context)
    case .chunk, .end: break
    }
  }

  private func end(
    _ exchange: Exchange, keepsAlive: Bool, _ context: ChannelHandlerContext
  ) {
    exchange.hasEnded()
    state = keepsAlive ? .idle : .closing
    expectProgress(context, within: server.limits.requestTime)
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
      if !keepsAlive { bound.value.close(promise: nil) }
    }
  }

  private func writeHead(
    _ status: Int, _ type: String, _ extra: [(String, String)], keepsAlive: Bool,
    _ context: ChannelHandlerContext
  ) {
    var headers = HTTPHeaders(extra)
    headers.add(name: "Content-Type", value: type)
    headers.add(name: "Cache-Control", value: "no-store")
    headers.add(name: "X-Content-Type-Options", value: "nosniff")
    if !keepsAlive { headers.add(name: "Connection", value: "close") }
    let head = HTTPResponseHead(
      version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
  }

  private func expectProgress(_ context: ChannelHandlerContext, within limit: Duration) {
    deadline?.cancel()
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    deadline = context.eventLoop.scheduleTask(in: TimeAmount(limit)) {
      bound.value.close(promise: nil)
    }
  }
}
