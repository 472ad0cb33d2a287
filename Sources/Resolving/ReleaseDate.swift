/// Seconds since 1970 of a time as Release files write it: `Sat, 11 Jul 2026 10:16:37 UTC`.
///
/// Nil for anything else. Source: RFC 5322, section 3.3, of which apt repositories use UTC only.
func seconds(ofReleaseDate text: some StringProtocol) -> Int? {
  let parts = text.split(whereSeparator: { $0 == " " || $0 == "," })
  guard parts.count == 6, ["UTC", "GMT", "Z", "+0000"].contains(parts[5]),
    let day = Int(parts[1]), (1...31).contains(day),
    let month = months.firstIndex(where: { $0 == parts[2] }),
    let year = Int(parts[3]), (1970...9999).contains(year)
  else { return nil }
  let clock = parts[4].split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
  guard clock.count == 3, let hour = clock[0], let minute = clock[1], let second = clock[2],
    (0..<24).contains(hour), (0..<60).contains(minute), (0...60).contains(second)
  else { return nil }
  return days(year: year, month: month + 1, day: day) * 86400 + hour * 3600 + minute * 60 + second
}

/// `2026-07-11 10:16:37 UTC`.
func format(utc seconds: Int) -> String {
  var day = seconds / 86400
  var rest = seconds % 86400
  if rest < 0 {
    day -= 1
    rest += 86400
  }
  // The inverse of `days`, by the same source.
  let shifted = day + 719_468
  let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
  let dayOfEra = shifted - era * 146_097
  let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
  let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
  let shiftedMonth = (5 * dayOfYear + 2) / 153
  let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  let date = [year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1].map(padded)
  let clock = [rest / 3600, rest / 60 % 60, rest % 60].map(padded)
  return "\(date.joined(separator: "-")) \(clock.joined(separator: ":")) UTC"
}

private func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

private let months = [
  "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
]

/// Days from 1970-01-01 in the Gregorian calendar. Source: Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms", `days_from_civil`.
private func days(year: Int, month: Int, day: Int) -> Int {
  let shifted = month <= 2 ? year - 1 : year
  let era = shifted / 400
  let yearOfEra = shifted - era * 400
  let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
  return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
}
