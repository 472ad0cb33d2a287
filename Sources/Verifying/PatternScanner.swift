/// Finds many short texts in a stream of bytes at once, skipping most of it.
///
/// Wu and Manber's search with blocks of two bytes: a table says for each pair of bytes how far ahead
/// the next match can end at the earliest.
public struct PatternScanner: Sendable {
  public let patterns: [[UInt8]]
  private let shortest: Int
  private let shifts: [UInt8]
  /// Patterns by the pair of bytes at `shortest - 2`.
  private let candidates: [UInt16: [Int]]

  /// - Parameter patterns: of at least four bytes each.
  public init(_ patterns: [[UInt8]]) {
    self.patterns = patterns
    let shortest = patterns.map(\.count).min() ?? 4
    precondition(shortest >= 4, "a pattern is four bytes or longer")
    self.shortest = shortest
    var shifts = [UInt8](repeating: UInt8(clamping: shortest - 1), count: 65536)
    var candidates: [UInt16: [Int]] = [:]
    for (index, pattern) in patterns.enumerated() {
      for place in 0..<(shortest - 1) {
        let pair = UInt16(pattern[place]) | UInt16(pattern[place + 1]) << 8
        shifts[Int(pair)] = min(shifts[Int(pair)], UInt8(clamping: shortest - 2 - place))
        if place == shortest - 2 { candidates[pair, default: []].append(index) }
      }
    }
    self.shifts = shifts
    self.candidates = candidates
  }

  /// Calls `body` with each match: the pattern's place in the list and the offset of its first byte.
  ///
  /// Four stretches of the bytes are searched in turn, step by step: a processor looks up the step of one
  /// while it waits for those of the others.
  public func scan(_ bytes: UnsafeRawBufferPointer, _ body: (Int, Int) -> Void) {
    guard bytes.count >= shortest, !patterns.isEmpty else { return }
    shifts.withUnsafeBufferPointer { shifts in
      let first = shortest - 2
      let length = (bytes.count - 1 - first) / 4
      func step(_ at: Int) -> Int {
        let pair = bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self).littleEndian
        return Int(shifts[Int(pair)])
      }
      func passes(_ at: Int, _ step: Int) -> Int {
        if step > 0 { return at &+ step }
        look(at: at, in: bytes, body)
        return at &+ 1
      }
      var (a, b, c, d) = (first, first + length, first + 2 * length, first + 3 * length)
      let ends = (b, c, d, bytes.count - 1)
      while a < ends.0, b < ends.1, c < ends.2, d < ends.3 {
        let steps = (step(a), step(b), step(c), step(d))
        (a, b) = (passes(a, steps.0), passes(b, steps.1))
        (c, d) = (passes(c, steps.2), passes(d, steps.3))
      }
      while a < ends.0 { a = passes(a, step(a)) }
      while b < ends.1 { b = passes(b, step(b)) }
      while c < ends.2 { c = passes(c, step(c)) }
      while d < ends.3 { d = passes(d, step(d)) }
    }
  }

  /// Looks for patterns whose first bytes end with the pair at a place.
  private func look(at: Int, in bytes: UnsafeRawBufferPointer, _ body: (Int, Int) -> Void) {
    let pair = bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self).littleEndian
    let start = at - (shortest - 2)
    for index in candidates[pair] ?? [] where matches(bytes, start, patterns[index]) {
      body(index, start)
    }
  }

  private func matches(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ pattern: [UInt8]) -> Bool {
    guard start + pattern.count <= bytes.count else { return false }
    for (place, byte) in pattern.enumerated() where bytes[start + place] != byte { return false }
    return true
  }
}
