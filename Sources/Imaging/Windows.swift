/// A stretch of the disk that is filled, hashed and written at once: a chunk.
struct Window: Sendable {
  /// A part of a piece of the plan.
  struct Slice: Sendable {
    var piece: Int
    /// Blocks from the start of the piece.
    var offset: UInt32
    var count: UInt32
  }

  /// Where the window before ends: from there to `start`, nothing is used.
  var gapStart: UInt64
  var start: UInt64
  var blocks: UInt32
  var slices: [Slice]

  var end: UInt64 { start + UInt64(blocks) }
}

/// Cuts a plan's pieces into windows, front to back, as `docs/chunks.md` says.
struct Windows: Sendable, IteratorProtocol {
  /// Blocks in a window at most: 4 MiB, and 64 KiB of tables.
  static let longest: UInt32 = 1024
  private static let longestOfTables: UInt32 = 16

  private let pieces: [ImagePlan.Piece]
  /// Where windows begin in any case, ascending.
  private var starts: ArraySlice<UInt64>
  private var piece = 0
  private var offset: UInt32 = 0
  private var end: UInt64 = 0

  init(_ pieces: [ImagePlan.Piece], starts: [UInt64]) {
    self.pieces = pieces
    self.starts = starts[...]
  }

  /// Where the last window that was handed out ends.
  var frontier: UInt64 { end }

  mutating func next() -> Window? {
    guard piece < pieces.count else { return nil }
    let start = pieces[piece].start + UInt64(offset)
    var window = Window(gapStart: end, start: start, blocks: 0, slices: [])
    let isTable = pieces[piece].content.isTable
    let limit = isTable ? Self.longestOfTables - UInt32(start % 16) : Self.longest
    while let first = starts.first, first <= start { starts.removeFirst() }
    while piece < pieces.count, window.blocks < limit,
      pieces[piece].start + UInt64(offset) == window.end,
      pieces[piece].content.isTable == isTable, starts.first != window.end
    {
      let count = min(pieces[piece].count - offset, limit - window.blocks)
      window.slices.append(Window.Slice(piece: piece, offset: offset, count: count))
      window.blocks += count
      offset += count
      if offset == pieces[piece].count { (piece, offset) = (piece + 1, 0) }
    }
    end = window.end
    return window
  }
}
