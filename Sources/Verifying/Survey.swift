/// What one pass over the contents of all files found; the pass itself is `Imaging`'s and `Pipeline`'s.
public struct Survey: Sendable, Equatable {
  /// Places where a pattern stands.
  public struct Hit: Sendable, Equatable {
    public var node: Int
    /// Which of the patterns, by its place in the list.
    public var pattern: Int
    /// How many bytes of `context` come before the match.
    public var lead: Int
    /// The bytes around it, for a closer look.
    public var context: [UInt8]

    public init(node: Int, pattern: Int, lead: Int, context: [UInt8]) {
      self.node = node
      self.pattern = pattern
      self.lead = lead
      self.context = context
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
