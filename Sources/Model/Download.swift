/// A blob that shall be in the store and where it can be had.
public struct Download: Sendable, Equatable {
  /// What the user knows it by: `package xvfb 2:21.1.7-3`, `archive node`.
  public var name: String
  public var hash: ContentHash
  /// In bytes.
  public var size: Int
  /// Equal addresses, tried in order: `http`, `https` or `file`.
  public var urls: [String]

  public init(name: String, hash: ContentHash, size: Int, urls: [String]) {
    self.name = name
    self.hash = hash
    self.size = size
    self.urls = urls
  }
}
