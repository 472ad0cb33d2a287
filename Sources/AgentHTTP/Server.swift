internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// How much of what one client, and all clients together, may take.
public struct ServerLimits: Sendable, Hashable {
  /// Bytes of a request's body.
  public var body = 1 << 20
  /// Bytes of all headers of a request.
  public var headers = 16 << 10
  /// Connections at once; more are told to come back later.
  public var connections = 128
  /// How long a whole request may take to arrive, and how long a connection may idle.
  public var requestTime = Duration.seconds(15)
  /// How long a client may leave a piece of a stream unread.
  public var stallTime = Duration.seconds(60)
  /// How long a refused client may go on sending before the connection is cut.
  public var lingerTime = Duration.seconds(1)

  public init() {}
}

/// What all connections of a server share.
struct ServerRules: Sendable {
  let limits: ServerLimits
  let gate: TokenGate
  let tunnel: TunnelRoute?
  let handle: @Sendable (Exchange) -> Void

  /// Health may be asked without a token: it tells nothing but that we are here.
  func isPublic(_ request: Request) -> Bool {
    request.method == "GET" && (request.path == ["health"] || request.path == ["healthz"])
  }
}

/// A small HTTP/1.1 server on one thread.
public final class Server: Sendable {
  /// The port that it listens on, also when zero was asked for.
  public let port: Int
  private let group: MultiThreadedEventLoopGroup
  private let channel: any Channel

  /// Listens, and hands each complete request that may pass to `handle`, which must not block.
  public static func start(
    host: String, port: Int, gate: TokenGate, limits: ServerLimits = ServerLimits(),
    tunnel: TunnelRoute? = nil, handle: @escaping @Sendable (Exchange) -> Void
  ) throws -> Server {
    let rules = ServerRules(limits: limits, gate: gate, tunnel: tunnel, handle: handle)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let open = OpenConnections()
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 256)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.allowRemoteHalfClosure, value: false)
      .childChannelInitializer { channel in
        let isServed = open.admit(channel, limit: limits.connections)
        return channel.eventLoop.makeCompletedFuture {
          guard let isServed else { throw ChannelError.inputClosed }
          guard isServed else {
            return try channel.pipeline.syncOperations.addHandler(TurnAwayHandler())
          }
          var sizes = NIOHTTPDecoderLimitConfiguration()
          sizes.maxHeaderFieldSize = limits.headers
          sizes.maxHeaderListSize = limits.headers
          sizes.maxHeaderFieldCount = 64
          try channel.pipeline.syncOperations.addHandler(TunnelHandler())
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(
            withPipeliningAssistance: false, withErrorHandling: false,
            withEncoderConfiguration: .init(), withDecoderLimitConfiguration: sizes)
          try channel.pipeline.syncOperations.addHandler(ConnectionHandler(rules))
        }
      }
    let channel = try bootstrap.bind(host: host, port: port).wait()
    return Server(group, channel, port: channel.localAddress?.port ?? port)
  }

  private init(_ group: MultiThreadedEventLoopGroup, _ channel: any Channel, port: Int) {
    self.group = group
    self.channel = channel
    self.port = port
  }

  /// Stops listening and cuts all connections; not to be called on the server's own thread.
  public func stop() throws {
    try channel.close().wait()
    try group.syncShutdownGracefully()
  }
}

/// Tells a client that there are too many already, and hangs up.
private final class TurnAwayHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  func channelActive(context: ChannelHandlerContext) {
    let refusal = Refusal(503, "busy", "too many connections, try later")
    let body = String(decoding: refusal.json.bytes, as: UTF8.self) + "\n"
    let answer = """
      HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n\
      Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)
      """
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
    context.close(mode: .output, promise: nil)
    // What the client still sends is read and thrown away for a moment, so that it gets our answer.
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    context.eventLoop.scheduleTask(in: .milliseconds(500)) { bound.value.close(promise: nil) }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
}

/// How many connections are open: those that are served, and those that are being turned away.
private final class OpenConnections: Sendable {
  private let counts = Mutex((served: 0, turnedAway: 0))

  private static let mostTurnedAway = 1024

  /// Counts a connection until it closes.
  ///
  /// - Returns: whether to serve it; nil when it is not even worth an answer.
  func admit(_ channel: any Channel, limit: Int) -> Bool? {
    let isServed: Bool? = counts.withLock { counts in
      if counts.served < limit {
        counts.served += 1
        return true
      }
      guard counts.turnedAway < Self.mostTurnedAway else { return nil }
      counts.turnedAway += 1
      return false
    }
    if let isServed {
      channel.closeFuture.whenComplete { _ in
        self.counts.withLock { counts in
          if isServed { counts.served -= 1 } else { counts.turnedAway -= 1 }
        }
      }
    }
    return isServed
  }
}
