/// The version of a release: a day and a number within it, written `YYYYMMDD.NNN`.
///
/// Both parts have a fixed width, so that sorting versions as text is sorting them in time.
public struct Version: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The highest number within a day.
  public static let lastNumber = 999

  /// The day as the decimal number `YYYYMMDD`.
  public let day: Int
  /// From 1 to `lastNumber`.
  public let number: Int

  /// - Precondition: both parts keep to their width.
  public init(day: Int, number: Int) {
    precondition((0...9999_9999).contains(day), "a day has eight digits")
    precondition((0...Version.lastNumber).contains(number), "a number has three digits")
    self.day = day
    self.number = number
  }

  /// Reads `YYYYMMDD.NNN`; anything else is nil.
  public init?(_ text: some StringProtocol) {
    let bytes = Array(text.utf8)
    guard bytes.count == 12, bytes[8] == UInt8(ascii: "."),
      let day = decimal(bytes[..<8]), let number = decimal(bytes[9...])
    else { return nil }
    self.init(day: day, number: number)
  }

  public var description: String { padded(day, 8) + "." + padded(number, 3) }

  public static func < (left: Version, right: Version) -> Bool {
    (left.day, left.number) < (right.day, right.number)
  }
}

extension Version: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let version = Version(text) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "'\(text)' is not a version such as 20260701.001")
    }
    self = version
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// Decimal digits and nothing else.
func decimal(_ digits: some Collection<UInt8>) -> Int? {
  var value = 0
  for digit in digits {
    guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
    value = value * 10 + Int(digit - UInt8(ascii: "0"))
  }
  return digits.isEmpty ? nil : value
}

/// A number with zeros before it.
func padded(_ number: Int, _ width: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
