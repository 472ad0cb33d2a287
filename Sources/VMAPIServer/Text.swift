internal import AgentHTTP

/// Cuts a stream of bytes into text: a character that is not complete yet waits for its rest, and what is
/// no UTF-8 becomes the replacement character.
struct TextStream {
  private var partial: [UInt8] = []

  mutating func add(_ bytes: [UInt8]) -> String {
    var all = partial + bytes
    partial = Array(all.suffix(Self.incompleteCount(all)))
    all.removeLast(partial.count)
    return String(decoding: all, as: UTF8.self)
  }

  /// What is left at the end of the stream.
  mutating func finish() -> String {
    defer { partial = [] }
    return String(decoding: partial, as: UTF8.self)
  }

  /// How many bytes at the end are the start of a character.
  private static func incompleteCount(_ bytes: [UInt8]) -> Int {
    for count in 1...3 where count <= bytes.count {
      let byte = bytes[bytes.count - count]
      if byte & 0xC0 == 0x80 { continue }
      let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
      return length > count ? count : 0
    }
    return 0
  }
}

/// Finds what a run used up in the JSON lines that it prints.
struct UsageReader {
  private let names: [String]
  private var line: [UInt8] = []
  private var isTooLong = false
  /// The last that was found.
  private(set) var usage: JSON?

  static let longestLine = 256 << 10

  init(_ names: [String]) { self.names = names }

  mutating func add(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while let end = rest.firstIndex(of: 10) {
      append(rest[..<end])
      finishLine()
      rest = rest[(end + 1)...]
    }
    append(rest)
  }

  mutating func finish() { finishLine() }

  private mutating func append(_ bytes: ArraySlice<UInt8>) {
    if line.count + bytes.count > Self.longestLine { isTooLong = true }
    if !isTooLong { line += bytes }
  }

  private mutating func finishLine() {
    defer {
      line.removeAll(keepingCapacity: true)
      isTooLong = false
    }
    // Most lines of plain output are no JSON, and that is no fault.
    guard !isTooLong, line.first == UInt8(ascii: "{"), let object = try? JSON(parsing: line) else {
      return
    }
    for name in names {
      if let found = object[name], found.object != nil { usage = found }
    }
  }
}
