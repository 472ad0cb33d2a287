/// What one pass over the contents of all files found; the pass itself is `Imaging`'s and `Pipeline`'s.
public struct Survey: Sendable, Equatable {
  /// A file that holds something it should not.
  public struct Hit: Sendable, Hashable {
    public var node: Int
    /// Which of the patterns, by its place in the list.
    public var pattern: Int

    public init(node: Int, pattern: Int) {
      self.node = node
      self.pattern = pattern
    }
  }

  public var hits: [Hit]
  /// Files whose content is not that of the tree that was meant.
  public var differing: [Int]
  /// Whether contents were compared with a tree.
  public var isCompared: Bool

  public init(hits: [Hit] = [], differing: [Int] = [], isCompared: Bool = false) {
    self.hits = hits
    self.differing = differing
    self.isCompared = isCompared
  }
}
