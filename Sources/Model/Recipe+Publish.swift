extension Recipe {
  /// `[publish]`: how a finished image becomes a release. It does not bear on the image's bytes.
  public struct Publish: Sendable, Equatable {
    /// How many of the newest versions stay once a new one is out; nil removes none.
    public var keep: Int?
    /// Seconds that every version stays, whatever `keep` says.
    public var minAge: Int
    /// Seconds until clients stop trusting a pointer that nobody renewed; nil: never.
    public var expires: Int?
    /// Absolute paths of the host that are kept links to the current image.
    public var links: [String]
    /// The file with the secret key, where neither command line nor environment give one.
    public var key: String?
    /// Fail where there is no key to sign with.
    public var isSigned: Bool
    /// Also publish the image compressed, as `rootfs.ext4.zst`.
    public var isCompressed: Bool

    public init(
      keep: Int? = nil, minAge: Int = 0, expires: Int? = nil, links: [String] = [],
      key: String? = nil, isSigned: Bool = false, isCompressed: Bool = false
    ) {
      self.keep = keep
      self.minAge = minAge
      self.expires = expires
      self.links = links
      self.key = key
      self.isSigned = isSigned
      self.isCompressed = isCompressed
    }
  }
}
