/// A number of bytes as people write it: `8GiB`, `1.5MiB`, `512`.
struct Size: CustomStringConvertible {
  private static let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)]

  var bytes: Int

  init(_ bytes: Int) { self.bytes = bytes }

  /// Reads a whole or decimal number with a unit of 1024, or without one for bytes.
  ///
  /// A part of a byte is dropped. Nil for any other text, and for what 64 bits cannot hold.
  init?(_ text: String) {
    let unit = Self.units.first { text.hasSuffix($0.0) }
    let number = text.dropLast(unit?.0.count ?? 0)
    let parts = number.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(\.isDigit) }),
      parts.count == 1 || parts[1].count <= 9, let whole = Int(parts[0])
    else { return nil }
    let scale = 1 << (unit?.1 ?? 0)
    let (product, isOver) = whole.multipliedReportingOverflow(by: scale)
    guard !isOver else { return nil }
    guard parts.count == 2 else {
      bytes = product
      return
    }
    let divisor = parts[1].reduce(1) { power, _ in power * 10 }
    guard let numerator = Int(parts[1]) else { return nil }
    let part = numerator.multipliedFullWidth(by: scale)
    let (quotient, _) = divisor.dividingFullWidth(part)
    let (sum, isTooLarge) = product.addingReportingOverflow(quotient)
    guard unit != nil, !isTooLarge else { return nil }
    bytes = sum
  }

  /// What the author of a wrong size may have meant.
  static func suggestion(for text: String) -> String? {
    let digits = text.prefix { $0.isNumber || $0 == "." }
    let unit = text.dropFirst(digits.count).drop { $0 == " " }
    guard let letter = unit.first?.uppercased(), "KMGT".contains(letter), unit.count <= 3,
      Size("\(digits)\(letter)iB") != nil
    else { return nil }
    return "did you mean '\(digits)\(letter)iB'?"
  }

  var description: String {
    for (name, shift) in Self.units where bytes != 0 && bytes.isMultiple(of: 1 << shift) {
      return "\(bytes >> shift)\(name)"
    }
    return "\(bytes) bytes"
  }
}
