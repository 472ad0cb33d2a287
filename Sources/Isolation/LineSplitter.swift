/// Cuts a stream of bytes into lines.
struct LineSplitter {
  /// A line longer than this comes in pieces.
  static let longest = 65536
  private var rest: [UInt8] = []

  /// Takes more bytes; calls `each` with every line that is complete, without its end.
  mutating func add(_ bytes: some Sequence<UInt8>, _ each: (String) -> Void) {
    for byte in bytes {
      if byte == UInt8(ascii: "\n") {
        finish(each)
        continue
      }
      rest.append(byte)
      if rest.count == Self.longest { finish(each) }
    }
  }

  /// Calls `each` with what is left.
  mutating func end(_ each: (String) -> Void) {
    if !rest.isEmpty { finish(each) }
  }

  private mutating func finish(_ each: (String) -> Void) {
    if rest.last == UInt8(ascii: "\r") { rest.removeLast() }
    each(String(decoding: rest, as: UTF8.self))
    rest.removeAll(keepingCapacity: true)
  }
}
