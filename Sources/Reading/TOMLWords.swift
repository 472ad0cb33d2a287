/// What a value without quotes turned out to be.
enum TOMLWord {
  case value(TOMLValue.Content)
  /// A number or a date, but not a right one.
  case fault(String)
  case text
}

/// Tells numbers, dates and Booleans apart, and reads them.
func classify(_ word: [UInt8]) -> TOMLWord {
  let text = String(decoding: word, as: UTF8.self)
  switch text {
  case "true": return .value(.boolean(true))
  case "false": return .value(.boolean(false))
  case "inf", "+inf": return .value(.float(.infinity))
  case "-inf": return .value(.float(-.infinity))
  case "nan", "+nan", "-nan": return .value(.float(.nan))
  default: break
  }
  guard let first = word.first, first.isDigit || isSign(first) || first == .dot else {
    return .text
  }
  if word.contains(UInt8(ascii: ":")) || word.count >= 10 && word[4] == UInt8(ascii: "-") {
    return dateTime(word).map { .value(.dateTime($0)) }
      ?? .fault("'\(text)' is not a date or time")
  }
  if let number = integer(word) { return number }
  return float(word)
}

/// An integer, or the fault of one; nil when it must be something else.
private func integer(_ word: [UInt8]) -> TOMLWord? {
  let text = String(decoding: word, as: UTF8.self)
  var digits = word[...]
  let sign = isSign(word[0]) ? [digits.removeFirst()] : []
  let radix = sign.isEmpty ? radix(of: word) : 10
  if radix != 10 { digits = digits.dropFirst(2) }
  guard let plain = withoutUnderscores(digits, digit: { isDigit($0, radix: radix) }) else {
    return radix == 10 ? nil : .fault("'\(text)' is not an integer")
  }
  if radix == 10, plain.count > 1, plain[0] == UInt8(ascii: "0") {
    return .fault("the integer '\(text)' begins with a zero; octal is written '0o…'")
  }
  guard let value = Int(String(decoding: sign + plain, as: UTF8.self), radix: radix) else {
    return .fault("the integer '\(text)' does not fit into 64 bits")
  }
  return .value(.integer(value, radix: radix))
}

private func radix(of word: [UInt8]) -> Int {
  guard word.count > 1, word[0] == UInt8(ascii: "0") else { return 10 }
  switch word[1] {
  case UInt8(ascii: "x"): return 16
  case UInt8(ascii: "o"): return 8
  case UInt8(ascii: "b"): return 2
  default: return 10
  }
}

private func float(_ word: [UInt8]) -> TOMLWord {
  let text = String(decoding: word, as: UTF8.self)
  let fault = TOMLWord.fault("'\(text)' is not a number")
  var rest = word[...]
  var plain: [UInt8] = []
  func digits() -> [UInt8]? {
    let part = rest.prefix { $0.isDigit || $0 == .underscore }
    rest = rest.dropFirst(part.count)
    return withoutUnderscores(part, digit: \.isDigit)
  }
  if let first = rest.first, isSign(first) { plain.append(rest.removeFirst()) }
  guard let whole = digits(), whole.count == 1 || whole[0] != UInt8(ascii: "0") else {
    return fault
  }
  plain += whole
  if rest.first == .dot {
    rest.removeFirst()
    guard let fraction = digits() else { return fault }
    plain += [.dot] + fraction
  }
  if let first = rest.first, first | 0x20 == UInt8(ascii: "e") {
    plain.append(rest.removeFirst())
    if let sign = rest.first, isSign(sign) { plain.append(rest.removeFirst()) }
    guard let exponent = digits() else { return fault }
    plain += exponent
  }
  if rest.contains(where: \.isLetter) { return .text }
  guard rest.isEmpty, let value = Double(String(decoding: plain, as: UTF8.self)) else {
    return fault
  }
  return .value(.float(value))
}

/// The digits alone; nil when there are none, or an underscore stands elsewhere than between digits.
private func withoutUnderscores(
  _ text: ArraySlice<UInt8>, digit isDigit: (UInt8) -> Bool
) -> [UInt8]? {
  var digits: [UInt8] = []
  var isAfterDigit = false
  for byte in text {
    if isDigit(byte) {
      digits.append(byte)
      isAfterDigit = true
    } else {
      guard byte == .underscore, isAfterDigit else { return nil }
      isAfterDigit = false
    }
  }
  return isAfterDigit ? digits : nil
}

private func isSign(_ byte: UInt8) -> Bool {
  byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
}

private func isDigit(_ byte: UInt8, radix: Int) -> Bool {
  switch radix {
  case 16: byte.isDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
  case 10: byte.isDigit
  default: byte >= UInt8(ascii: "0") && byte < UInt8(ascii: "0") + UInt8(radix)
  }
}

/// A date, a time or both; nil when the form or the calendar does not allow it.
private func dateTime(_ word: [UInt8]) -> TOMLDateTime? {
  var rest = word[...]
  func number(_ count: Int, _ range: ClosedRange<Int>) -> Int? {
    let digits = rest.prefix(count)
    guard digits.count == count, digits.allSatisfy(\.isDigit) else { return nil }
    rest = rest.dropFirst(count)
    let value = digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    return range.contains(value) ? value : nil
  }
  func skip(_ characters: StaticString) -> Bool {
    let isThere =
      rest.first.map { next in characters.withUTF8Buffer { $0.contains(next) } } ?? false
    if isThere { rest.removeFirst() }
    return isThere
  }
  func isDate() -> Bool {
    guard let year = number(4, 0...9999), skip("-"), let month = number(2, 1...12), skip("-"),
      let day = number(2, 1...31)
    else { return false }
    return day <= daysInMonth(month, of: year)
  }
  func isTime() -> Bool {
    guard number(2, 0...23) != nil, skip(":"), number(2, 0...59) != nil, skip(":"),
      number(2, 0...59) != nil
    else { return false }
    guard skip(".") else { return true }
    let fraction = rest.prefix(while: \.isDigit)
    rest = rest.dropFirst(fraction.count)
    return !fraction.isEmpty
  }
  let text = String(decoding: word, as: UTF8.self).uppercased()
  func result(_ kind: TOMLDateTime.Kind) -> TOMLDateTime? {
    rest.isEmpty ? TOMLDateTime(kind: kind, text: text) : nil
  }
  if word.count > 2, word[2] == UInt8(ascii: ":") { return isTime() ? result(.time) : nil }
  guard isDate() else { return nil }
  guard skip("Tt") else { return result(.date) }
  guard isTime() else { return nil }
  if skip("Zz") { return result(.offset) }
  guard skip("+-") else { return result(.local) }
  guard number(2, 0...23) != nil, skip(":"), number(2, 0...59) != nil else { return nil }
  return result(.offset)
}

private func daysInMonth(_ month: Int, of year: Int) -> Int {
  switch month {
  case 2:
    year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400)) ? 29 : 28
  case 4, 6, 9, 11: 30
  default: 31
  }
}
