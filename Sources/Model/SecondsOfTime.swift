/// The seconds of a time such as `90s`, `12h`, `14d` or `2w`; nil when the text is none.
public func secondsOfTime(_ text: String) -> Int? {
  let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]
  guard let unit = text.last.flatMap({ units[$0] }), let number = UInt32(text.dropLast()),
    (1...1_000_000).contains(number)
  else { return nil }
  return Int(number) * unit
}
