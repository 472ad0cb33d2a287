/// A stream of JSON events to one client, as server-sent events or as JSON lines, by its Accept header.
public struct EventStream: Sendable {
  public let exchange: Exchange
  private let isServerSent: Bool

  /// Begins the answer.
  public init(to exchange: Exchange) {
    self.exchange = exchange
    isServerSent = exchange.request.accept.contains("text/event-stream")
    exchange.startStream(type: isServerSent ? "text/event-stream" : "application/x-ndjson")
  }

  /// Sends one event; its name is also the member `event` of a JSON line.
  public func send(_ name: String, _ facts: [String: JSON]) {
    var facts = facts
    if isServerSent {
      exchange.send(Array("event: \(name)\ndata: ".utf8) + JSON.object(facts).bytes + [10, 10])
    } else {
      facts["event"] = .string(name)
      exchange.send(JSON.object(facts).bytes + [10])
    }
  }

  /// Sends something that means nothing, so that a client that is gone is noticed.
  public func keepAlive() { exchange.send(isServerSent ? Array(": \n\n".utf8) : [10]) }

  public func finish() { exchange.finish() }
}
