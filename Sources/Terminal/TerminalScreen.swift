/// What a program would show on a terminal, the answers a terminal would give it, and the addresses
/// (links) that it printed.
///
/// The same bytes give the same screen, however they are cut into chunks; memory is bounded by the size
/// of the screen.
public struct TerminalScreen: Sendable {
  private var parser = ScreenParser()
  private var grid: ScreenGrid
  /// The main screen, while the alternate one is shown.
  private var mainGrid: ScreenGrid?
  private var savedCursor = (row: 0, column: 0)
  private var printed = PrintedLinks()
  private var lastPrinted: Unicode.Scalar?
  private var replies: [UInt8] = []

  /// Targets of OSC 8 hyperlinks, in order of appearance, each once.
  public private(set) var hyperlinks: [String] = []
  static let mostLinks = 64

  public init(_ size: WindowSize) { grid = ScreenGrid(size) }

  /// Takes what the program printed.
  ///
  /// - Returns: what the terminal answers, to be sent to the program as if typed.
  public mutating func feed(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    let bytes = Array(bytes)
    var items: [ScreenParser.Item] = []
    var index = 0
    while index < bytes.count {
      // Plain text, the most of what programs print, goes to the grid in one piece.
      if parser.isInText {
        let end = bytes[index...].firstIndex { !(0x20...0x7E).contains($0) } ?? bytes.count
        if end > index {
          draw(bytes[index..<end])
          index = end
          continue
        }
      }
      parser.feed(bytes[index]) { items.append($0) }
      for item in items { perform(item) }
      items.removeAll(keepingCapacity: true)
      index += 1
    }
    defer { replies = [] }
    return replies
  }

  private mutating func draw(_ text: ArraySlice<UInt8>) {
    for byte in text { printed.add(byte) }
    grid.print(text)
    lastPrinted = text.last.map { Unicode.Scalar($0) }
  }

  /// The rows from the top, without blanks at their ends.
  public var lines: [String] { grid.rows.indices.map(grid.text(ofRow:)) }

  /// The whole screen as text: rows that wrapped by themselves are joined, empty ones at the end left out.
  public var text: String {
    var text = ""
    for index in grid.rows.indices {
      text += grid.text(ofRow: index)
      if !grid.rows[index].isWrapped { text += "\n" }
    }
    while text.hasSuffix("\n\n") { text.removeLast() }
    return text == "\n" ? "" : text
  }

  public var cursor: (row: Int, column: Int) { (grid.row, grid.column) }

  /// Addresses that stood in one piece in the output, in order, each once.
  public var printedLinks: [String] { printed.links }

  /// Addresses on the screen, those that run over several rows put together again.
  public var screenLinks: [String] { linksOnGrid(grid) }

  /// The newest address that `isWanted`: of a hyperlink if there is one, else as printed, else as shown.
  ///
  /// A printed address that a row's end cut in two gives way to the whole one on the screen.
  public func link(where isWanted: (String) -> Bool) -> String? {
    if let target = hyperlinks.last(where: isWanted) { return target }
    let shown = screenLinks.filter(isWanted)
    guard let whole = printedLinks.last(where: isWanted) else { return shown.last }
    return shown.last { $0.hasPrefix(whole) } ?? whole
  }

  private mutating func perform(_ item: ScreenParser.Item) {
    // Whatever comes item by item is no part of an address.
    printed.breakOff()
    switch item {
    case .print(let scalar):
      grid.print(scalar)
      lastPrinted = scalar
    case .control(let byte): control(byte)
    case .escape(let intermediates, let final):
      if intermediates.isEmpty { escape(final) }
    case .csi(let marker, let parameters, let intermediates, let final):
      csi(Function(marker, parameters, intermediates, final))
    case .osc(let text): command(text)
    }
  }

  private mutating func control(_ byte: UInt8) {
    switch byte {
    case 8: grid.move(toRow: grid.row, column: grid.column - 1)
    case 9: grid.move(toRow: grid.row, column: (grid.column / 8 + 1) * 8)
    case 10, 11, 12: grid.lineFeed()
    case 13: grid.move(toRow: grid.row, column: 0)
    default: break
    }
  }

  private mutating func escape(_ final: UInt8) {
    switch final {
    case UInt8(ascii: "7"): savedCursor = cursor
    case UInt8(ascii: "8"): grid.move(toRow: savedCursor.row, column: savedCursor.column)
    case UInt8(ascii: "D"): grid.lineFeed()
    case UInt8(ascii: "E"):
      grid.lineFeed()
      grid.move(toRow: grid.row, column: 0)
    case UInt8(ascii: "M"): grid.reverseLineFeed()
    case UInt8(ascii: "c"):
      let size = WindowSize(rows: UInt16(grid.rows.count), columns: UInt16(grid.columns))
      grid = ScreenGrid(size)
      mainGrid = nil
    default: break
    }
  }

  /// Operating system commands: colour queries and hyperlinks.
  private mutating func command(_ text: [UInt8]) {
    let parts = text.split(
      separator: UInt8(ascii: ";"), maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count >= 2 else { return }
    switch String(decoding: parts[0], as: UTF8.self) {
    case "8":
      guard parts.count == 3, !parts[2].isEmpty else { return }
      let target = String(decoding: parts[2], as: UTF8.self)
      if hyperlinks.count < Self.mostLinks, !hyperlinks.contains(target) {
        hyperlinks.append(target)
      }
    case "10" where parts[1].elementsEqual("?".utf8): reply("\u{1B}]10;rgb:ffff/ffff/ffff\u{1B}\\")
    case "11" where parts[1].elementsEqual("?".utf8): reply("\u{1B}]11;rgb:0000/0000/0000\u{1B}\\")
    default: break
    }
  }

  private mutating func reply(_ text: String) {
    // A program that asks without end and never reads gets no more than this at a time.
    if replies.count < 65536 { replies += text.utf8 }
  }
}

/// A control function with its parameters.
private struct Function {
  let name: String
  private let parameters: [Int]

  /// The name is the marker, the intermediates and the final, as in "?h" or "$p".
  init(_ marker: UInt8, _ parameters: [Int], _ intermediates: [UInt8], _ final: UInt8) {
    name = String(
      decoding: (marker == 0 ? [] : [marker]) + intermediates + [final], as: UTF8.self)
    self.parameters = parameters
  }

  var all: [Int] { parameters }

  /// A parameter that says which; zero when absent.
  func choice(_ index: Int = 0) -> Int { index < parameters.count ? max(parameters[index], 0) : 0 }

  /// A parameter that says how many or where; one when absent or zero.
  func count(_ index: Int = 0) -> Int { max(choice(index), 1) }
}

extension TerminalScreen {
  private mutating func csi(_ function: Function) {
    switch function.name {
    case "A", "F": moveVertically(by: -function.count(), toStart: function.name == "F")
    case "B", "E", "e": moveVertically(by: function.count(), toStart: function.name == "E")
    case "C", "a": grid.move(toRow: grid.row, column: grid.column + function.count())
    case "D": grid.move(toRow: grid.row, column: grid.column - function.count())
    case "G", "`": grid.move(toRow: grid.row, column: function.count() - 1)
    case "H", "f": grid.move(toRow: function.count(0) - 1, column: function.count(1) - 1)
    case "I": grid.move(toRow: grid.row, column: (grid.column / 8 + function.count()) * 8)
    case "d": grid.move(toRow: function.count() - 1, column: grid.column)
    case "J", "?J": eraseScreen(function.choice())
    case "K", "?K": eraseRow(function.choice())
    case "X": grid.erase(row: grid.row, columns: grid.column..<(grid.column + function.count()))
    case "@": grid.insertCells(function.count())
    case "P": grid.deleteCells(function.count())
    case "L": grid.insertRows(function.count())
    case "M": grid.deleteRows(function.count())
    case "S": grid.scrollUp(from: grid.top, by: function.count())
    case "T": grid.scrollDown(from: grid.top, by: function.count())
    case "b": repeatLast(function.count())
    case "r": setMargins(function)
    case "s": savedCursor = cursor
    case "u": grid.move(toRow: savedCursor.row, column: savedCursor.column)
    case "?h": for mode in function.all { setMode(mode, on: true) }
    case "?l": for mode in function.all { setMode(mode, on: false) }
    default: answer(function)
    }
  }

  private mutating func answer(_ function: Function) {
    let position = "\(grid.row + 1);\(grid.column + 1)R"
    switch (function.name, function.choice()) {
    case ("n", 5): reply("\u{1B}[0n")
    case ("n", 6): reply("\u{1B}[\(position)")
    case ("?n", 6): reply("\u{1B}[?\(position)")
    case ("c", 0): reply("\u{1B}[?62;22c")  // a VT220 with colours
    case (">c", 0): reply("\u{1B}[>1;10;0c")
    case (">q", 0): reply("\u{1B}P>|golden 1\u{1B}\\")
    case ("t", 18): reply("\u{1B}[8;\(grid.rows.count);\(grid.columns)t")
    case ("?$p", let mode): reply("\u{1B}[?\(mode);0$y")  // a mode that we do not know
    default: break
    }
  }

  private mutating func moveVertically(by count: Int, toStart: Bool) {
    grid.move(toRow: grid.row + count, column: toStart ? 0 : grid.column)
  }

  private mutating func eraseRow(_ part: Int) {
    switch part {
    case 0: grid.erase(row: grid.row, columns: grid.column..<grid.columns)
    case 1: grid.erase(row: grid.row, columns: 0..<(grid.column + 1))
    case 2: grid.erase(row: grid.row, columns: 0..<grid.columns)
    default: break
    }
  }

  private mutating func eraseScreen(_ part: Int) {
    guard (0...3).contains(part) else { return }
    if part < 2 { eraseRow(part) }
    let rows =
      switch part {
      case 0: (grid.row + 1)..<max(grid.row + 1, grid.rows.count)
      case 1: 0..<grid.row
      default: 0..<grid.rows.count
      }
    for row in rows { grid.erase(row: row, columns: 0..<grid.columns) }
  }

  private mutating func repeatLast(_ count: Int) {
    guard let lastPrinted else { return }
    for _ in 0..<min(count, grid.columns) { grid.print(lastPrinted) }
  }

  private mutating func setMargins(_ function: Function) {
    let top = function.count(0) - 1
    let last = function.choice(1) == 0 ? grid.rows.count : function.choice(1)
    let bottom = min(last, grid.rows.count) - 1
    guard top < bottom else { return }
    grid.top = top
    grid.bottom = bottom
    grid.move(toRow: 0, column: 0)
  }

  private mutating func setMode(_ mode: Int, on: Bool) {
    switch mode {
    case 7: grid.wrapsAround = on
    case 47, 1047, 1049:
      if on, mainGrid == nil {
        mainGrid = grid
        grid = ScreenGrid(
          WindowSize(rows: UInt16(grid.rows.count), columns: UInt16(grid.columns)))
      } else if !on, let main = mainGrid {
        grid = main
        mainGrid = nil
      }
    default: break
    }
  }
}

extension TerminalScreen: Equatable {
  /// Whether both show the same and found the same.
  public static func == (one: Self, other: Self) -> Bool {
    one.grid == other.grid && one.mainGrid == other.mainGrid
      && one.hyperlinks == other.hyperlinks && one.printedLinks == other.printedLinks
  }
}
