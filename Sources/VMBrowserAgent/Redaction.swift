/// Takes secrets out of text before it goes to a log or an error message.
///
/// Masked are: texts known to be secret, every value in an address's query, one-time codes such as
/// `ABCD-EFGH`, and any long word of letters and digits, which is what tokens look like.
struct Redaction: Sendable {
  private var secrets: [String] = []

  static let mask = "[masked]"

  /// Remembers a text that must not show up, such as a code that was typed in.
  mutating func hide(_ secret: String) {
    if secret.utf8.count >= 4, !secrets.contains(secret) { secrets.append(secret) }
  }

  func masked(_ text: String) -> String {
    var text = text
    for secret in secrets { text = text.replacing(secret, with: Self.mask) }
    var result = ""
    for (index, word) in text.split(separator: " ", omittingEmptySubsequences: false).enumerated() {
      if index > 0 { result += " " }
      result += Self.maskedWord(word)
    }
    return result
  }

  private static func maskedWord(_ word: Substring) -> String {
    if let address = word.firstRange(of: "://"),
      let question = word[address.upperBound...].firstIndex(where: { "?#".contains($0) })
    {
      return word[..<question] + maskedQuery(word[question...])
    }
    var result = ""
    var run: Substring = ""
    for character in word {
      if isTokenCharacter(character) {
        run.append(character)
      } else {
        result += isSecret(run) ? mask : String(run)
        result.append(character)
        run = ""
      }
    }
    return result + (isSecret(run) ? mask : String(run))
  }

  /// A query or fragment with its names but without its values; what has no name is masked whole.
  private static func maskedQuery(_ query: Substring) -> String {
    var result = ""
    var rest = query
    while let mark = rest.popFirst() {
      result.append(mark)
      let part = rest.prefix { !"?#&".contains($0) }
      rest = rest.dropFirst(part.count)
      if part.isEmpty { continue }
      result += (part.firstIndex(of: "=").map { part[...$0] } ?? "") + mask
    }
    return result
  }

  private static func isTokenCharacter(_ character: Character) -> Bool {
    character.isASCII && (character.isLetter || character.isNumber || "_-.+~=#".contains(character))
  }

  private static func isSecret(_ run: Substring) -> Bool {
    let letters = run.contains { $0.isLetter }
    let digits = run.contains { $0.isNumber }
    if run.count >= 20, letters, digits { return true }
    if run.count >= 40 { return letters }
    // One-time codes: groups of capitals and digits.
    let groups = run.split(separator: "-", omittingEmptySubsequences: false)
    return groups.count >= 2 && run.count >= 7
      && groups.allSatisfy { group in
        group.count >= 3 && group.allSatisfy { $0.isNumber || $0.isUppercase }
      }
  }
}
