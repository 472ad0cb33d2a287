/// Brings bytes from elsewhere: what resolving asks of fetching, so that neither imports the other.
public protocol Transport: Sendable {
  /// The bytes of a small file whose hash is not known yet, such as InRelease.
  ///
  /// - Parameters:
  ///   - name: what messages call it.
  ///   - urls: equal addresses, tried in order.
  ///   - limit: the most bytes to accept.
  /// - Throws: when no address answers, or the file is larger.
  func bytes(named name: String, from urls: [String], limit: Int) async throws -> [UInt8]

  /// Brings blobs into the store, each checked against its hash and size; those already there stay.
  func fetch(_ downloads: [Download]) async throws
}
