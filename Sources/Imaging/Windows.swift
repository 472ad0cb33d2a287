/// A stretch of the disk that is filled and written at once.
struct Window: Sendable {
  /// A part of a piece of the plan.
  struct Slice: Sendable {
    var piece: Int
    /// Blocks from the start of the piece.
    var offset: UInt32
    var count: UInt32
  }

  var start: UInt64
  var blocks: UInt32
  var slices: [Slice]
}

/// Cuts a plan's pieces into windows of limited size, front to back.
struct Windows: Sendable, IteratorProtocol {
  private let pieces: [ImagePlan.Piece]
  private let limit: UInt32
  private var piece = 0
  private var offset: UInt32 = 0

  /// - Parameter limit: blocks in a window at most.
  init(_ pieces: [ImagePlan.Piece], limit: UInt32) {
    self.pieces = pieces
    self.limit = limit
  }

  mutating func next() -> Window? {
    guard piece < pieces.count else { return nil }
    var window = Window(start: pieces[piece].start + UInt64(offset), blocks: 0, slices: [])
    while piece < pieces.count, window.blocks < limit,
      pieces[piece].start + UInt64(offset) == window.start + UInt64(window.blocks)
    {
      let count = min(pieces[piece].count - offset, limit - window.blocks)
      window.slices.append(Window.Slice(piece: piece, offset: offset, count: count))
      window.blocks += count
      offset += count
      if offset == pieces[piece].count { (piece, offset) = (piece + 1, 0) }
    }
    return window
  }
}
