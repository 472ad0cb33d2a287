/// A version as npm orders them. Source: semver.org 2.0.0, and node-semver where it says more.
struct NPMVersion: Sendable, Equatable, Comparable, CustomStringConvertible {
  /// Major, minor, patch.
  var numbers: [Int]
  /// What follows `-`, at the dots; empty for a release.
  var prerelease: [String] = []

  init(_ numbers: [Int], prerelease: [String] = []) {
    self.numbers = numbers
    self.prerelease = prerelease
  }

  /// Reads `1.2.3`, with `-rc.1` and `+build`; a leading `v` does not count.
  init?(_ text: some StringProtocol) {
    let plain = String(text.drop { $0 == "v" || $0 == "=" || $0 == " " }.prefix { $0 != "+" })
    let parts = plain.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    let numbers = parts[0].split(separator: ".", omittingEmptySubsequences: false)
      .map { $0.allSatisfy(\.isNumber) ? Int($0) : nil }
    guard numbers.count == 3, !numbers.contains(nil) else { return nil }
    self.numbers = numbers.compactMap(\.self)
    if parts.count > 1 {
      prerelease = parts[1].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
      guard !prerelease.contains("") else { return nil }
    }
  }

  var description: String {
    numbers.map(String.init).joined(separator: ".")
      + (prerelease.isEmpty ? "" : "-" + prerelease.joined(separator: "."))
  }

  static func < (left: NPMVersion, right: NPMVersion) -> Bool {
    if left.numbers != right.numbers {
      return left.numbers.lexicographicallyPrecedes(right.numbers)
    }
    // A release comes after what leads to it.
    if left.prerelease.isEmpty || right.prerelease.isEmpty {
      return !left.prerelease.isEmpty && right.prerelease.isEmpty
    }
    for (one, other) in zip(left.prerelease, right.prerelease) where one != other {
      switch (Int(one), Int(other)) {
      case (let one?, let other?): return one < other
      case (_?, nil): return true
      case (nil, _?): return false
      case (nil, nil): return one.utf8.lexicographicallyPrecedes(other.utf8)
      }
    }
    return left.prerelease.count < right.prerelease.count
  }
}

/// Which versions npm takes for `^1.2`, `>=18 <23 || 24`, `1.x` and the like.
struct NPMRange: Sendable, Equatable {
  private enum Sign: Sendable { case less, lessOrEqual, equal, greaterOrEqual, greater }
  private struct Bound: Sendable, Equatable {
    var sign: Sign
    var version: NPMVersion

    func admits(_ other: NPMVersion) -> Bool {
      switch sign {
      case .less: other < version
      case .lessOrEqual: other <= version
      case .equal: other == version
      case .greaterOrEqual: other >= version
      case .greater: other > version
      }
    }
  }
  /// One of them must hold in full.
  private var alternatives: [[Bound]] = []

  /// Reads a range; nil when it is none.
  init?(_ text: String) {
    for part in text.components(of: "||") {
      guard let bounds = Self.bounds(of: part) else { return nil }
      alternatives.append(bounds)
    }
  }

  /// Whether a version lies in the range; prereleases only where the range names one of the same
  /// numbers.
  func contains(_ version: NPMVersion) -> Bool {
    alternatives.contains { bounds in
      guard bounds.allSatisfy({ $0.admits(version) }) else { return false }
      return version.prerelease.isEmpty
        || bounds.contains {
          !$0.version.prerelease.isEmpty && $0.version.numbers == version.numbers
        }
    }
  }

  private static func bounds(of text: String) -> [Bound]? {
    guard let words = joinSigns(text) else { return nil }
    if words.count == 3, words[1] == "-" { return hyphen(words[0], words[2]) }
    var bounds: [Bound] = []
    for word in words {
      guard let more = Self.bounds(ofWord: word) else { return nil }
      bounds += more
    }
    return bounds
  }

  /// The words of a range, each with the sign that may stand apart from it; nil for a
  /// sign without a word.
  private static func joinSigns(_ text: String) -> [String]? {
    var words: [String] = []
    var sign = ""
    for word in text.split(whereSeparator: \.isWhitespace) {
      if word.allSatisfy({ "<>=~^".contains($0) }) {
        sign += word
      } else {
        words.append(sign + word)
        sign = ""
      }
    }
    return sign.isEmpty ? words : nil
  }

  /// `1.2 - 2`: from the first to the end of the second.
  private static func hyphen(_ from: String, _ to: String) -> [Bound]? {
    guard let low = Partial(from), let high = Partial(to) else { return nil }
    let start = Bound(sign: .greaterOrEqual, version: low.start)
    guard !high.isAny else { return [start] }
    guard let next = high.next else {
      return [start, Bound(sign: .lessOrEqual, version: high.start)]
    }
    return [start, Bound(sign: .less, version: next)]
  }

  private static func bounds(ofWord word: String) -> [Bound]? {
    let sign = String(word.prefix { "<>=~^".contains($0) })
    guard let partial = Partial(String(word.dropFirst(sign.count))) else { return nil }
    let start = partial.start
    let from = Bound(sign: .greaterOrEqual, version: start)
    switch sign {
    case "", "=":
      if partial.isAny { return [] }
      guard let next = partial.next else { return [Bound(sign: .equal, version: start)] }
      return [from, Bound(sign: .less, version: next)]
    case "^": return partial.isAny ? [] : [from, Bound(sign: .less, version: partial.caretEnd)]
    case "~", "~>":
      return partial.isAny
        ? []
        : [from, Bound(sign: .less, version: partial.end(keeping: min(2, partial.numbers.count)))]
    case ">=": return partial.isAny ? [] : [from]
    case "<":
      var end = start
      if partial.numbers.count < 3 { end.prerelease = ["0"] }
      return [Bound(sign: .less, version: end)]
    case ">":
      if partial.isAny {
        return [Bound(sign: .less, version: NPMVersion([0, 0, 0], prerelease: ["0"]))]
      }
      guard var next = partial.next else { return [Bound(sign: .greater, version: start)] }
      next.prerelease = []
      return [Bound(sign: .greaterOrEqual, version: next)]
    case "<=":
      if partial.isAny { return [] }
      guard let next = partial.next else { return [Bound(sign: .lessOrEqual, version: start)] }
      return [Bound(sign: .less, version: next)]
    default: return nil
    }
  }

  /// A version of which parts may be left open: `1`, `1.x`, `*`.
  private struct Partial {
    /// As many as are given, up to three.
    var numbers: [Int] = []
    var prerelease: [String] = []

    init?(_ text: String) {
      if let version = NPMVersion(text) {
        (numbers, prerelease) = (version.numbers, version.prerelease)
        return
      }
      let plain = String(text.drop { $0 == "v" || $0 == "=" }.prefix { $0 != "-" && $0 != "+" })
      for part in plain.split(separator: ".") {
        if ["x", "X", "*"].contains(part) { break }
        guard part.allSatisfy(\.isNumber), let number = Int(part) else { return nil }
        numbers.append(number)
      }
      guard numbers.count < 3 else { return nil }
    }

    var isAny: Bool { numbers.isEmpty }

    var start: NPMVersion {
      NPMVersion((numbers + [0, 0, 0]).prefix(3).map(\.self), prerelease: prerelease)
    }

    /// The first version past all that it stands for; nil when it is whole.
    var next: NPMVersion? { numbers.count < 3 ? end(keeping: numbers.count) : nil }

    /// The first version whose leading numbers differ.
    func end(keeping count: Int) -> NPMVersion {
      var end = Array((numbers + [0, 0, 0]).prefix(count))
      if let last = end.indices.last { end[last] += 1 }
      return NPMVersion((end + [0, 0, 0]).prefix(3).map(\.self), prerelease: ["0"])
    }

    /// The first number that is not zero stays.
    var caretEnd: NPMVersion {
      let first = numbers.firstIndex { $0 != 0 } ?? numbers.count - 1
      return end(keeping: first + 1)
    }
  }
}

extension StringProtocol {
  /// The parts between a separator, empty ones too.
  fileprivate func components(of separator: String) -> [String] {
    var parts: [String] = []
    var rest = self[...]
    while let range = rest.firstRange(of: separator) {
      parts.append(String(rest[..<range.lowerBound]))
      rest = rest[range.upperBound...]
    }
    return parts + [String(rest)]
  }
}
