/// A remark about a release that outlives it: it is pinned, or in quarantine.
public struct Mark: Sendable, Equatable, Codable {
  public var version: Version
  /// The release's disk: another version with the same disk is the same image.
  public var disk: ContentHash
  /// What the release was made from: the same inputs need not be built again to be refused.
  public var buildId: ContentHash?
  public var reason: String
  public var since: Timestamp

  public init(
    version: Version, disk: ContentHash, buildId: ContentHash? = nil, reason: String,
    since: Timestamp
  ) {
    self.version = version
    self.disk = disk
    self.buildId = buildId
    self.reason = reason
    self.since = since
  }
}
