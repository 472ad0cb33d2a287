/// A shell pattern on a path: `?`, `*` and `[…]` within a name, `**` for any names, none as well.
struct PathPattern {
  let text: String
  private let parts: [[UInt8]]

  init(_ text: String) {
    self.text = text
    parts = text.utf8.split(separator: UInt8(ascii: "/")).map(Array.init)
  }

  /// Whether the pattern is that of the path, or of a folder above it.
  func covers(_ names: [[UInt8]]) -> Bool {
    (1...max(1, names.count)).contains { matches(names.prefix($0)) }
  }

  /// Whether the pattern is that of the whole path.
  func matches(_ names: some Collection<[UInt8]>) -> Bool {
    Self.matches(parts[...], Array(names)[...])
  }

  private static func matches(_ parts: ArraySlice<[UInt8]>, _ names: ArraySlice<[UInt8]>) -> Bool {
    guard let part = parts.first else { return names.isEmpty }
    if part == Array("**".utf8) {
      return matches(parts.dropFirst(), names)
        || (!names.isEmpty && matches(parts, names.dropFirst()))
    }
    guard let name = names.first else { return false }
    return matchesName(part[...], name[...]) && matches(parts.dropFirst(), names.dropFirst())
  }

  /// Whether a pattern without folders matches a name.
  static func matchesName(_ pattern: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>) -> Bool {
    guard let sign = pattern.first else { return name.isEmpty }
    let rest = pattern.dropFirst()
    switch sign {
    case UInt8(ascii: "*"):
      return matchesName(rest, name) || (!name.isEmpty && matchesName(pattern, name.dropFirst()))
    case UInt8(ascii: "?"):
      return !name.isEmpty && matchesName(rest, name.dropFirst())
    case UInt8(ascii: "["):
      guard let end = rest.dropFirst().firstIndex(of: UInt8(ascii: "]")) else { break }
      guard let byte = name.first, isIn(byte, rest[..<end]) else { return false }
      return matchesName(pattern[(end + 1)...], name.dropFirst())
    default: break
    }
    return name.first == sign && matchesName(rest, name.dropFirst())
  }

  /// Whether a byte is in a list such as `a-z_`, or with `!` in front, is not.
  private static func isIn(_ byte: UInt8, _ list: ArraySlice<UInt8>) -> Bool {
    let isNegated = list.first == UInt8(ascii: "!") || list.first == UInt8(ascii: "^")
    var rest = isNegated ? list.dropFirst() : list
    var isFound = false
    while let low = rest.popFirst() {
      guard rest.count >= 2, rest.first == UInt8(ascii: "-"), let high = rest.dropFirst().first
      else {
        isFound = isFound || byte == low
        continue
      }
      rest = rest.dropFirst(2)
      isFound = isFound || (low <= byte && byte <= high)
    }
    return isFound != isNegated
  }
}
