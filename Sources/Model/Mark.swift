/// A remark about a release that outlives it: it is pinned, or in quarantine.
public struct Mark: Sendable, Equatable, Codable {
  public var version: Version
  /// The release's disk: another version with the same disk is the same image.
  public var disk: ContentHash
  public var reason: String
  public var since: Timestamp

  public init(version: Version, disk: ContentHash, reason: String, since: Timestamp) {
    self.version = version
    self.disk = disk
    self.reason = reason
    self.since = since
  }
}
