/// Addresses that a program prints in one piece, collected character by character.
struct PrintedLinks: Sendable {
  private(set) var links: [String] = []
  private var run: [UInt8] = []
  private static let longest = 8192

  mutating func add(_ byte: UInt8) {
    if isPartOfLink(byte) {
      if run.count <= Self.longest { run.append(byte) }
    } else {
      breakOff()
    }
  }

  /// Something that is no part of an address came: what was collected is complete.
  mutating func breakOff() {
    if run.isEmpty { return }
    defer { run.removeAll(keepingCapacity: true) }
    guard run.count <= Self.longest, links.count < TerminalScreen.mostLinks else { return }
    for link in linksInText(run) where !links.contains(link) { links.append(link) }
  }
}

/// Whether a byte may stand in an address (RFC 3986), which leaves out blanks, quotes and brackets.
func isPartOfLink(_ byte: UInt8) -> Bool { partsOfLinks[Int(byte)] }

private let partsOfLinks: [Bool] = (UInt8.min...UInt8.max).map { byte in
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"):
    true
  default: "-._~:/?#[]@!$&*+,;=%".utf8.contains(byte)
  }
}

/// The addresses in a run of characters that may all be part of one; punctuation at their ends is left out.
func linksInText(_ run: some Sequence<UInt8>) -> [String] {
  let run = Array(run)
  for scheme in ["https://", "http://"] {
    guard let start = run.firstRange(of: Array(scheme.utf8))?.lowerBound else { continue }
    var end = run.count
    while end > start, ".,;:!?]".utf8.contains(run[end - 1]) { end -= 1 }
    guard end - start > scheme.utf8.count else { continue }
    return [String(decoding: run[start..<end], as: UTF8.self)]
  }
  return []
}

/// The addresses on a grid, from the top; one that fills its row goes on in the next.
///
/// A row that the terminal wrapped says so. A program that wraps by itself leaves no trace, so a row is
/// taken to go on when the address reaches the right edge (or a frame there) and the next row holds
/// nothing but one word of address characters.
func linksOnGrid(_ grid: ScreenGrid) -> [String] {
  var found: [String] = []
  var index = 0
  while index < grid.rows.count {
    var next = index + 1
    for run in linkRuns(in: grid.rows[index]) where startsLink(run.bytes) {
      var bytes = run.bytes
      var last = run
      var row = index
      while row + 1 < grid.rows.count, let more = continuation(of: last, in: grid, after: row) {
        bytes += more.bytes
        last = more
        row += 1
      }
      next = max(next, row + 1)
      for link in linksInText(bytes) where !found.contains(link) { found.append(link) }
    }
    index = next
  }
  return found
}

private func startsLink(_ bytes: [UInt8]) -> Bool {
  bytes.firstRange(of: Array("https://".utf8)) != nil
    || bytes.firstRange(of: Array("http://".utf8)) != nil
}

/// A run of address characters in a row.
private struct LinkRun {
  var start: Int
  var end: Int
  var bytes: [UInt8]
  /// Whether nothing but blanks and box-drawing lines stands before, and after.
  var isFirst: Bool
  var isLast: Bool
}

private func linkRuns(in row: ScreenGrid.Row) -> [LinkRun] {
  var runs: [LinkRun] = []
  var sawOther = false
  var column = 0
  while column < row.cells.count {
    let start = column
    var bytes: [UInt8] = []
    while column < row.cells.count, let byte = UInt8(exactly: row.cells[column]), isPartOfLink(byte)
    {
      bytes.append(byte)
      column += 1
    }
    if !bytes.isEmpty {
      for index in runs.indices { runs[index].isLast = false }
      runs.append(
        LinkRun(
          start: start, end: column, bytes: bytes, isFirst: !sawOther && runs.isEmpty, isLast: true)
      )
      continue
    }
    if !isBlank(row.cells[column]) {
      sawOther = true
      for index in runs.indices { runs[index].isLast = false }
    }
    column += 1
  }
  return runs
}

private func isBlank(_ cell: UInt32) -> Bool {
  cell == 0 || cell == 0x20 || (0x2500...0x257F).contains(cell)
}

private func continuation(of run: LinkRun, in grid: ScreenGrid, after row: Int) -> LinkRun? {
  guard run.isLast, let next = linkRuns(in: grid.rows[row + 1]).first, next.isFirst else {
    return nil
  }
  if grid.rows[row].isWrapped, run.end == grid.columns { return next.start == 0 ? next : nil }
  // A row that leaves more room has no reason to be wrapped, and what starts anew is another address.
  guard run.end >= grid.columns - 4, next.isLast, next.end <= run.end, !startsLink(next.bytes)
  else { return nil }
  return next.start <= run.start ? next : nil
}
