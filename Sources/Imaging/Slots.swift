/// Finds places for groups by their keys, in cells of several blocks or inodes.
///
/// A key names a sequence of places. A group gets the first of them where it fits with its slack; what is
/// larger chooses first. So a group's place depends on those few that want the same place, not on all.
struct Slots: Sendable {
  /// The cell at which the region begins that groups are spread over.
  private let first: Int
  /// Which cells of the region nobody has.
  private var isFree: [Bool]
  private let perCell: Int

  /// So many times a group looks for a place before it is scattered.
  private static let attempts: UInt64 = 64

  /// - Parameters:
  ///   - counts: the sizes of all groups, in blocks or inodes.
  ///   - perCell: how many of these a cell has.
  ///   - free: the cells that can be used, ascending.
  /// - Returns: nil when the groups with their slack would take more than three quarters.
  init?(forCounts counts: [Int], perCell: Int, in free: [Range<Int>]) {
    let needed = counts.reduce(0) { $0 + Self.cells(for: $1, perCell) }
    guard let first = free.first?.lowerBound, let last = free.last?.upperBound,
      needed * 4 <= free.reduce(0, { $0 + $1.count }) * 3
    else { return nil }
    // Four times what is needed, rounded up, so that it stays when the need grows.
    let region = min(Self.powerOfTwo(from: needed * 4), last - first)
    self.first = first
    self.perCell = perCell
    isFree = [Bool](repeating: false, count: region)
    for range in free {
      for cell in range.clamped(to: first..<first + region) { isFree[cell - first] = true }
    }
  }

  /// Slots for groups of blocks; cells are 64 KiB.
  init?(forBlocks counts: [Int], in free: [Range<UInt64>]) {
    let size = Self.blocksInCell
    self.init(
      forCounts: counts, perCell: size,
      in: free.compactMap { range in
        let lower = (Int(range.lowerBound) + size - 1) / size
        let upper = Int(range.upperBound) / size
        return lower < upper ? lower..<upper : nil
      })
  }

  static let blocksInCell = 16

  /// The cells of each group, in the order of the argument; nil when the room is too small.
  mutating func place(_ groups: [(count: Int, key: UInt64)]) -> [[Range<Int>]]? {
    let wishes = groups.map { (cells: Self.cells(for: $0.count, perCell), key: $0.key) }
    let classes = wishes.map { Self.powerOfTwo(from: $0.cells) }
    let order = wishes.indices.sorted {
      (classes[$1], wishes[$0].key, $0) < (classes[$0], wishes[$1].key, $1)
    }
    var places = [[Range<Int>]](repeating: [], count: groups.count)
    for index in order {
      guard let place = take(wishes[index].cells, key: wishes[index].key) else { return nil }
      places[index] = place
    }
    return places
  }

  private mutating func take(_ cells: Int, key: UInt64) -> [Range<Int>]? {
    for attempt in 0..<Self.attempts {
      let start = Int(mixed(key &+ attempt) % UInt64(isFree.count))
      let end = start + cells
      guard end <= isFree.count, isFree[start..<end].allSatisfy({ $0 }) else { continue }
      for cell in start..<end { isFree[cell] = false }
      return [first + start..<first + end]
    }
    return scatter(cells, from: Int(mixed(key) % UInt64(isFree.count)))
  }

  /// Takes the next free cells from a place on, and then from the front.
  private mutating func scatter(_ cells: Int, from start: Int) -> [Range<Int>]? {
    var ranges = [Range<Int>]()
    var left = cells
    for step in isFree.indices where left > 0 {
      let cell = (start + step) % isFree.count
      guard isFree[cell] else { continue }
      isFree[cell] = false
      left -= 1
      let taken = first + cell
      if let last = ranges.last, last.upperBound == taken {
        ranges[ranges.count - 1] = last.lowerBound..<taken + 1
      } else {
        ranges.append(taken..<taken + 1)
      }
    }
    return left == 0 ? ranges : nil
  }

  /// Cells for so many blocks or inodes with an eighth and one to spare, in steps that grow with the
  /// size: what grows a little takes as many as before.
  private static func cells(for count: Int, _ perCell: Int) -> Int {
    let cells = (count + count / 8 + 1 + perCell - 1) / perCell
    let step = max(1, powerOfTwo(from: cells) / 16)
    return (cells + step - 1) / step * step
  }

  private static func powerOfTwo(from number: Int) -> Int {
    number <= 1 ? 1 : 1 << (Int.bitWidth - (number - 1).leadingZeroBitCount)
  }
}
