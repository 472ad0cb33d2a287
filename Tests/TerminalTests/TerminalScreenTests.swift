import Support
import Terminal
import Testing

private func screen(_ text: String, rows: UInt16 = 6, columns: UInt16 = 20) -> TerminalScreen {
  var screen = TerminalScreen(WindowSize(rows: rows, columns: columns))
  _ = screen.feed(text.utf8)
  return screen
}

private func reply(to text: String) -> String {
  var screen = TerminalScreen(WindowSize(rows: 24, columns: 80))
  return String(decoding: screen.feed(text.utf8), as: UTF8.self)
}

private let address = "https://auth.example/oauth/authorize?client_id=a&state=b-c_d%20e"

@Suite("Terminal screens")
struct TerminalScreenTests {
  @Test(
    "show what a terminal shows",
    arguments: [
      ("plain\r\ntext", ["plain", "text"]),
      ("over\rX", ["Xver"]),
      ("a\tb", ["a       b"]),
      ("abc\u{8}\u{8}X", ["aXc"]),
      ("Wel\u{1B}[1;5Hcome", ["Wel come"]),
      ("one\r\ntwo\u{1B}[1A!", ["one!", "two"]),
      ("12345678901234567890ab", ["12345678901234567890", "ab"]),
      ("12345678901234567890\r\nab", ["12345678901234567890", "ab"]),
      ("\u{1B}[?7l1234567890123456789012", ["12345678901234567892"]),
      ("gone\u{1B}[2J\u{1B}[Hnew", ["new"]),
      ("keep this\u{1B}[5G\u{1B}[K", ["keep"]),
      ("abcdef\u{1B}[3G\u{1B}[2P", ["abef"]),
      ("abef\u{1B}[3G\u{1B}[2@cd", ["abcdef"]),
      ("1\r\n2\r\n3\u{1B}[2;1H\u{1B}[L+", ["1", "+", "2", "3"]),
      ("1\r\n2\r\n3\u{1B}[2;1H\u{1B}[M", ["1", "3"]),
      ("1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7", ["2", "3", "4", "5", "6", "7"]),
      ("main\u{1B}[?1049halternate\u{1B}[?1049l", ["main"]),
      ("main\u{1B}[?1049h\u{1B}[Halt", ["alt"]),
      ("\u{1B}[31;1mred\u{1B}[0m", ["red"]),
      ("\u{1B}]0;title\u{7}x\u{1B}P1$q\u{1B}\\y\u{1B}(Bz", ["xyz"]),
      ("日本x", ["日本x"]),
      ("é\u{301}", ["é"]),
      ("-\u{1B}[4b", ["-----"]),
    ] as [(String, [String])])
  func drawing(bytes: String, expected: [String]) {
    var lines = screen(bytes).lines
    while lines.last == "" { lines.removeLast() }
    #expect(lines == expected)
  }

  @Test(
    "answer what programs ask a terminal",
    arguments: [
      ("\u{1B}[6n", "\u{1B}[1;1R"),
      ("ab\r\nc\u{1B}[6n", "\u{1B}[2;2R"),
      ("\u{1B}[5n", "\u{1B}[0n"),
      ("\u{1B}[c", "\u{1B}[?62;22c"),
      ("\u{1B}[0c", "\u{1B}[?62;22c"),
      ("\u{1B}[>c", "\u{1B}[>1;10;0c"),
      ("\u{1B}]11;?\u{7}", "\u{1B}]11;rgb:0000/0000/0000\u{1B}\\"),
      ("\u{1B}]11;?\u{1B}\\", "\u{1B}]11;rgb:0000/0000/0000\u{1B}\\"),
      ("\u{1B}]10;?\u{7}", "\u{1B}]10;rgb:ffff/ffff/ffff\u{1B}\\"),
      ("\u{1B}[18t", "\u{1B}[8;24;80t"),
      ("\u{1B}[?2026$p", "\u{1B}[?2026;0$y"),
      ("\u{1B}[?u\u{1B}[c", "\u{1B}[?62;22c"),
      ("nothing \u{1B}[31m", ""),
    ])
  func queries(question: String, answer: String) {
    #expect(reply(to: question) == answer)
  }

  @Test("find an address in a hyperlink's target before all else")
  func hyperlink() {
    let text = "\u{1B}]8;id=1;\(address)\u{1B}\\https://auth.example/oau…\u{1B}]8;;\u{1B}\\"
    let found = screen(text + " https://auth.example/other ")
    #expect(found.hyperlinks == [address])
    #expect(found.link { $0.hasPrefix("https://auth.example/") } == address)
  }

  @Test("find an address printed in one piece, even over the end of a row")
  func printedLink() {
    for text in ["Open <\(address)>.", "see \(address).\r\n", "\u{1B}[4m\(address)\u{1B}[0m"] {
      #expect(screen(text).printedLinks == [address])
      #expect(screen(text).link { _ in true } == address)
    }
  }

  @Test("put an address together that a program wrapped or drew piece by piece")
  func wrappedLink() {
    let bytes = Array(address)
    let pieces = stride(from: 0, to: bytes.count, by: 20).map {
      String(bytes[$0..<min($0 + 20, bytes.count)])
    }
    #expect(screen(pieces.joined(separator: "\r\n")).link { _ in true } == address)
    let framed = stride(from: 0, to: bytes.count, by: 16).map {
      "│ "
        + String(bytes[$0..<min($0 + 16, bytes.count)])
        .padded(to: 16) + " │"
    }
    #expect(screen(framed.joined(separator: "\r\n")).link { _ in true } == address)
    let drawn = bytes.enumerated().map {
      "\u{1B}[\($0.offset / 20 + 1);\($0.offset % 20 + 1)H\($0.element)"
    }
    #expect(screen(drawn.reversed().joined()).link { _ in true } == address)
    #expect(screen(drawn.reversed().joined()).printedLinks.isEmpty)
  }

  @Test("do not glue the next line to an address that ends before the edge")
  func separateLines() {
    let found = screen("\(address)\r\nWaiting...\r\n", columns: 200)
    #expect(found.screenLinks == [address])
    let two = screen("https://a.example/123\r\nhttps://b.example/456\r\n", columns: 21)
    #expect(two.screenLinks == ["https://a.example/123", "https://b.example/456"])
  }

  @Test("never crash on any bytes, and do not care how they are cut", arguments: 0..<60)
  func anyBytes(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let size = WindowSize(
      rows: UInt16.random(in: 0...12, using: &random),
      columns: UInt16.random(in: 0...90, using: &random))
    let bytes = terminalNoise(count: 3000, &random)
    var whole = TerminalScreen(size)
    let replies = whole.feed(bytes)
    var cut = TerminalScreen(size)
    var cutReplies: [UInt8] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = min(Int.random(in: 1...40, using: &random), rest.count)
      cutReplies += cut.feed(rest.prefix(count))
      rest = rest.dropFirst(count)
    }
    #expect(whole == cut)
    #expect(replies == cutReplies)
    #expect(whole.lines.count == max(Int(size.rows), 1))
    _ = (whole.text, whole.screenLinks)
  }
}

/// Random bytes that are often the start of something: sequences, addresses, broken UTF-8.
private func terminalNoise(count: Int, _ random: inout SplitMix64) -> [UInt8] {
  let pieces = [
    "\u{1B}[", "\u{1B}]8;;", "\u{1B}\\", "\u{7}", "https://", "\u{1B}[?1049h", "\u{1B}[?1049l",
    "\u{1B}]11;?", "\u{1B}[6n", "\u{1B}[99999;99999H", "\u{1B}[2;3r", "\u{1B}[65535L", "\u{1B}[9M",
    "日本", "\r\n", "\u{1B}c", "\u{1B}M", "\u{1B}[65535@", "\u{1B}[65535P", "\u{1B}[1J", "\u{1B}[b",
    "abcdefghijklmnopqrstuvwxyz", "\u{1B}7", "\u{1B}8", "\u{1B}[?7l", "\u{1B}[3T", "\u{1B}[S",
  ]
  var bytes: [UInt8] = []
  while bytes.count < count {
    switch Int.random(in: 0..<4, using: &random) {
    case 0: bytes.append(UInt8.random(in: 0...255, using: &random))
    case 1: bytes.append(UInt8.random(in: 0x20...0x7E, using: &random))
    default: bytes += pieces.randomElement(using: &random).map { Array($0.utf8) } ?? []
    }
  }
  return bytes
}

extension String {
  fileprivate func padded(to count: Int) -> String {
    self + String(repeating: " ", count: max(0, count - self.count))
  }
}
