/// A licence as a package states it, told in SPDX's terms.
///
/// Debian's short names are translated; a name that SPDX does not have becomes a reference of our own
/// (`LicenseRef-…`), which keeps the name as it was.
struct Licence: Equatable {
  /// An SPDX expression; `NOASSERTION` when the package says nothing.
  var expression = "NOASSERTION"
  /// Our own references in it, with the names they stand for.
  var references: [String: String] = [:]

  /// Reads names and expressions joined by AND and OR, with or without parentheses.
  init(_ text: String?) {
    guard let text, !text.isEmpty else { return }
    var words: [String] = []
    for word in text.replacing("(", with: " ( ").replacing(")", with: " ) ").split(separator: " ") {
      words.append(String(word))
    }
    // Exceptions, and texts that are no expression, stand for themselves.
    guard !words.contains("WITH"), isExpression(words) else {
      expression = reference(text)
      return
    }
    expression = words.map { isOperator($0) ? $0 : known($0) ?? reference($0) }
      .joined(separator: " ").replacing("( ", with: "(").replacing(" )", with: ")")
  }

  private mutating func reference(_ name: String) -> String {
    let plain = name.utf8.map { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"):
        String(UnicodeScalar(byte))
      default: "-"
      }
    }
    let id = "LicenseRef-" + plain.joined()
    references[id] = name
    return id
  }
}

private func isOperator(_ word: String) -> Bool { ["AND", "OR", "(", ")"].contains(word) }

/// Whether names and operators alternate and parentheses match.
private func isExpression(_ words: [String]) -> Bool {
  var depth = 0
  var wantsName = true
  for word in words {
    switch word {
    case "(":
      guard wantsName else { return false }
      depth += 1
    case ")":
      guard !wantsName, depth > 0 else { return false }
      depth -= 1
    case "AND", "OR":
      guard !wantsName else { return false }
      wantsName = true
    default:
      guard wantsName else { return false }
      wantsName = false
    }
  }
  return depth == 0 && !wantsName
}

/// SPDX's name of a licence that we know; Debian's version marks are translated: `GPL-2+`.
private func known(_ name: String) -> String? {
  if let translated = debianNames[name.lowercased()] { return translated }
  if spdxNames.contains(name) { return name }
  for family in ["GPL", "LGPL", "AGPL", "GFDL"] where name.hasPrefix(family + "-") {
    let rest = name.dropFirst(family.count + 1)
    let number = rest.hasSuffix("+") ? String(rest.dropLast()) : String(rest)
    let version = number.contains(".") ? number : number + ".0"
    let versions = ["GPL": "1.0 2.0 3.0", "LGPL": "2.0 2.1 3.0", "AGPL": "3.0", "GFDL": "1.2 1.3"]
    guard versions[family]?.split(separator: " ").contains(Substring(version)) == true
    else { return nil }
    return "\(family)-\(version)-\(rest.hasSuffix("+") ? "or-later" : "only")"
  }
  return nil
}

private let debianNames = [
  "expat": "MIT", "bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause",
  "bsd-4-clause": "BSD-4-Clause", "apache-2": "Apache-2.0", "asl-2.0": "Apache-2.0",
  "mpl-2": "MPL-2.0", "mpl-1": "MPL-1.0", "artistic": "Artistic-1.0", "artistic-2": "Artistic-2.0",
  "zlib/libpng": "Zlib", "psf-2": "PSF-2.0", "boost-1.0": "BSL-1.0", "openldap-2.8": "OLDAP-2.8",
  "cc-by-sa-4": "CC-BY-SA-4.0", "cc0": "CC0-1.0",
]

private let spdxNames: Set<String> = [
  "0BSD", "AFL-2.1", "Apache-1.1", "Apache-2.0", "Artistic-1.0", "Artistic-2.0", "BSD-2-Clause",
  "BSD-3-Clause", "BSD-4-Clause", "BSL-1.0", "BlueOak-1.0.0", "CC-BY-3.0", "CC-BY-4.0",
  "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC0-1.0", "CDDL-1.0", "EPL-1.0", "EPL-2.0", "GPL-1.0-only",
  "GPL-1.0-or-later", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later",
  "HPND", "ICU", "ISC", "LGPL-2.0-only", "LGPL-2.0-or-later", "LGPL-2.1-only",
  "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT", "MIT-0", "MPL-1.1", "MPL-2.0",
  "NCSA", "OFL-1.1", "OpenSSL", "PSF-2.0", "PostgreSQL", "Python-2.0", "Ruby", "Unicode-3.0",
  "Unlicense", "WTFPL", "X11", "Zlib", "bzip2-1.0.6", "curl",
]
