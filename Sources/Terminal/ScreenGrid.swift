/// A grid of characters with a cursor, as a terminal shows it.
struct ScreenGrid: Equatable {
  /// One row; a cell that was never written to is zero, as is the second half of a wide character.
  struct Row: Equatable {
    var cells: [UInt32]
    /// Whether the text runs on in the next row because this one was full.
    var isWrapped = false
  }

  let columns: Int
  private(set) var rows: [Row]
  var row = 0
  var column = 0
  /// Set when the last column was written: the next character begins a new row first.
  var wrapIsPending = false
  var wrapsAround = true
  /// The rows that scroll.
  var top = 0
  var bottom: Int

  init(_ size: WindowSize) {
    columns = max(Int(size.columns), 1)
    let count = max(Int(size.rows), 1)
    rows = Array(repeating: Row(cells: Array(repeating: 0, count: columns)), count: count)
    bottom = count - 1
  }

  private var emptyRow: Row { Row(cells: Array(repeating: 0, count: columns)) }

  mutating func print(_ scalar: Unicode.Scalar) {
    let width = scalar.cellCount
    if width == 0 { return }
    if wrapIsPending, wrapsAround {
      rows[row].isWrapped = true
      lineFeed()
      column = 0
    }
    wrapIsPending = false
    if width == 2, column == columns - 1, columns > 1 {
      if wrapsAround {
        rows[row].isWrapped = true
        lineFeed()
        column = 0
      } else {
        column -= 1
      }
    }
    rows[row].cells[column] = scalar.value
    if width == 2, column + 1 < columns { rows[row].cells[column + 1] = 0 }
    if column + width >= columns {
      column = columns - 1
      wrapIsPending = true
      // What follows is no continuation until the next character says so.
      rows[row].isWrapped = false
    } else {
      column += width
    }
  }

  /// Prints ASCII text, row by row.
  mutating func print(_ text: ArraySlice<UInt8>) {
    var text = text
    while let first = text.first {
      let count = min(columns - 1 - column, text.count)
      if wrapIsPending || count <= 0 {
        print(Unicode.Scalar(first))
        text = text.dropFirst()
        continue
      }
      rows[row].cells.replaceSubrange(
        column..<(column + count), with: text.prefix(count).lazy.map { UInt32($0) })
      column += count
      text = text.dropFirst(count)
    }
  }

  mutating func move(toRow newRow: Int, column newColumn: Int) {
    row = min(max(newRow, 0), rows.count - 1)
    column = min(max(newColumn, 0), columns - 1)
    wrapIsPending = false
  }

  mutating func lineFeed() {
    wrapIsPending = false
    if row == bottom { scrollUp(from: top, by: 1) } else if row < rows.count - 1 { row += 1 }
  }

  mutating func reverseLineFeed() {
    wrapIsPending = false
    if row == top { scrollDown(from: top, by: 1) } else if row > 0 { row -= 1 }
  }

  mutating func scrollUp(from first: Int, by count: Int) {
    guard first <= bottom else { return }
    let count = min(max(count, 0), bottom - first + 1)
    rows.removeSubrange(first..<(first + count))
    rows.insert(contentsOf: repeatElement(emptyRow, count: count), at: bottom - count + 1)
  }

  mutating func scrollDown(from first: Int, by count: Int) {
    guard first <= bottom else { return }
    let count = min(max(count, 0), bottom - first + 1)
    rows.removeSubrange((bottom - count + 1)...bottom)
    rows.insert(contentsOf: repeatElement(emptyRow, count: count), at: first)
  }

  /// Inserts or deletes rows at the cursor, within the rows that scroll.
  mutating func insertRows(_ count: Int) {
    if (top...bottom).contains(row) { scrollDown(from: row, by: count) }
  }

  mutating func deleteRows(_ count: Int) {
    if (top...bottom).contains(row) { scrollUp(from: row, by: count) }
  }

  mutating func erase(row index: Int, columns range: Range<Int>) {
    let range = range.clamped(to: 0..<columns)
    for column in range { rows[index].cells[column] = 0 }
    if range.upperBound == columns { rows[index].isWrapped = false }
  }

  mutating func insertCells(_ count: Int) {
    let count = min(max(count, 0), columns - column)
    rows[row].cells.removeLast(count)
    rows[row].cells.insert(contentsOf: repeatElement(0, count: count), at: column)
    wrapIsPending = false
  }

  mutating func deleteCells(_ count: Int) {
    let count = min(max(count, 0), columns - column)
    rows[row].cells.removeSubrange(column..<(column + count))
    rows[row].cells += repeatElement(0, count: count)
    wrapIsPending = false
  }

  /// The text of a row without the blanks at its end.
  func text(ofRow index: Int) -> String {
    let cells = rows[index].cells
    let used = cells.lastIndex { $0 != 0 && $0 != 0x20 }.map { $0 + 1 } ?? 0
    var text = ""
    var skip = false
    for cell in cells[..<used] {
      if skip {
        skip = false
        if cell == 0 { continue }
      }
      let scalar = Unicode.Scalar(cell) ?? " "
      text.unicodeScalars.append(cell == 0 ? " " : scalar)
      skip = cell != 0 && scalar.cellCount == 2
    }
    return text
  }
}

extension Unicode.Scalar {
  /// How many cells the character takes: none for what joins the one before, two for wide scripts.
  var cellCount: Int {
    guard value >= 0x300 else { return 1 }
    switch properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: break
    }
    switch value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3,
      0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F,
      0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
      return 2
    default: return 1
    }
  }
}
