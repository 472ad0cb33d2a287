/// What `latest.json` says: which release of an image is current. Format: `docs/catalog.md`.
public struct Pointer: Sendable, Equatable, Codable {
  public static let mediaType = "application/vnd.golden.pointer.v1+json"

  /// Why the pointer moved.
  public enum Reason: String, Sendable, Codable { case publish, rollback, repair, renewal }

  /// A file of a release: its path from the image's folder, and its hash.
  public struct File: Sendable, Equatable, Codable {
    public var path: String
    public var sha256: ContentHash
    /// In bytes.
    public var size: Int?

    public init(path: String, sha256: ContentHash, size: Int? = nil) {
      self.path = path
      self.sha256 = sha256
      self.size = size
    }
  }

  public var apiVersion = "golden.image/v1"
  public var kind = "ImagePointer"
  /// The image's name.
  public var image: String
  /// Grows with each move, also when it moves back to an older version.
  public var generation: Int
  /// Clients refuse generations below this one, whatever they remember.
  public var minGeneration: Int
  public var version: Version
  public var manifest: File
  public var disk: File
  public var reason: Reason
  public var published: Timestamp
  /// Clients that see no newer pointer by then must not start anything from this one.
  public var expires: Timestamp?
  /// The highest version and sequence ever given out: neither is used twice, even after removal.
  public var lastVersion: Version
  public var lastSequence: Int

  public init(
    image: String, generation: Int, minGeneration: Int = 1, version: Version, manifest: File,
    disk: File, reason: Reason, published: Timestamp, expires: Timestamp?, lastVersion: Version,
    lastSequence: Int
  ) {
    self.image = image
    self.generation = generation
    self.minGeneration = minGeneration
    self.version = version
    self.manifest = manifest
    self.disk = disk
    self.reason = reason
    self.published = published
    self.expires = expires
    self.lastVersion = lastVersion
    self.lastSequence = lastSequence
  }
}
