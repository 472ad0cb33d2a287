internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// A part of the server's paths that another server on this machine answers, for who bears the token:
/// also WebSockets, as the connection is handed over as bytes.
public struct TunnelRoute: Sendable, Hashable {
  /// First part of the paths: `vnc` leads `/vnc/a?b` to `/a?b`.
  public var name: String
  /// Port of the other server, on the loopback address.
  public var port: Int

  public init(_ name: String, port: Int) {
    self.name = name
    self.port = port
  }

  /// The request as the other server gets it; nil for a path that is not ours.
  ///
  /// The token stays here. Without an upgrade the other server is to close the connection after its
  /// answer, as a next request on it would not be checked.
  func rewritten(_ head: HTTPRequestHead) -> ByteBuffer? {
    guard head.method == .GET, head.uri == "/\(name)" || head.uri.hasPrefix("/\(name)/") else {
      return nil
    }
    let rest = head.uri.dropFirst(name.utf8.count + 1)
    var headers = head.headers
    headers.remove(name: "authorization")
    if !headers.contains(name: "upgrade") {
      headers.replaceOrAdd(name: "connection", value: "close")
    }
    var text = "GET \(rest.isEmpty ? "/" : rest) HTTP/1.1\r\n"
    for (name, value) in headers { text += "\(name): \(value)\r\n" }
    return ByteBuffer(string: text + "\r\n")
  }
}

/// Sits between the socket and the HTTP handlers: lets all pass, until a tunnel is dug; from then on it
/// passes bytes between the socket and another connection, past the HTTP handlers.
///
/// Either side waits for the other: what one cannot take now is not read from the other.
final class TunnelHandler: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private var peer: (any Channel)?

  /// Passes bytes on to `peer` from now on.
  func connect(to peer: any Channel) { self.peer = peer }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard let peer else { return context.fireChannelRead(data) }
    peer.writeAndFlush(unwrapInboundIn(data), promise: nil)
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    // The option of a channel that is closing can no longer be set, and need not.
    peer?.setOption(.autoRead, value: context.channel.isWritable).whenComplete { _ in }
    context.fireChannelWritabilityChanged()
  }

  func channelInactive(context: ChannelHandlerContext) {
    peer?.close(promise: nil)
    peer = nil
    context.fireChannelInactive()
  }

  /// Sends bytes to the socket, past the HTTP handlers.
  func send(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
  }
}

/// The other end of a tunnel: what the other server sends goes to the client.
private final class TunnelEnd: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let handler: TunnelHandler
  private let client: ChannelHandlerContext

  init(_ handler: TunnelHandler, _ client: ChannelHandlerContext) {
    self.handler = handler
    self.client = client
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    handler.send(unwrapInboundIn(data), client)
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    // As above: a channel that is closing keeps its option.
    client.channel.setOption(.autoRead, value: context.channel.isWritable).whenComplete { _ in }
  }

  func channelInactive(context: ChannelHandlerContext) {
    client.close(mode: .all, promise: nil)
  }
}

/// Connects to the other server, on the client's event loop, and hands the connection over to it.
///
/// - Parameter request: what the other server reads first.
func digTunnel(
  to port: Int, for client: any Channel, request: ByteBuffer
) -> EventLoopFuture<Void> {
  let loop = client.eventLoop
  return ClientBootstrap(group: loop)
    .connectTimeout(.seconds(5))
    .channelInitializer { channel in
      loop.makeCompletedFuture {
        let front = client.pipeline.syncOperations
        let handler = try front.handler(type: TunnelHandler.self)
        let context = try front.context(handler: handler)
        try channel.pipeline.syncOperations.addHandler(TunnelEnd(handler, context))
      }
    }
    .connect(host: "127.0.0.1", port: port)
    .flatMapThrowing { channel in
      guard client.isActive else {
        channel.close(promise: nil)
        throw ChannelError.ioOnClosedChannel
      }
      try client.pipeline.syncOperations.handler(type: TunnelHandler.self).connect(to: channel)
      channel.writeAndFlush(request, promise: nil)
    }
}
