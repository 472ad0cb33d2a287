internal import Model

/// The form of a text value: what messages call it, and the test for it.
struct Form: Sendable {
  /// Completes `'key' must be …`.
  var name: String
  var accepts: @Sendable (String) -> Bool
  /// Explains a likely mistake in a value that was not accepted.
  var hint: @Sendable (String) -> String? = { _ in nil }
}

extension Form {
  /// A word of limited length in UTF-8: one character of `first`, then any of `rest`.
  private static func word(
    _ name: String, upTo length: Int = 4096, first: Letters, rest: Letters
  ) -> Form {
    Form(name: name) { $0.utf8.count <= length && isWord($0, first: first, rest: rest) }
  }

  static let text = Form(name: "a text without control characters") { text in
    !text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
  }
  static let anyText = Form(name: "a text without U+0000") { !$0.utf8.contains(0) }
  static let imageName = word(
    "a name of small letters, digits, '.', '_' and '-', at most 64 characters", upTo: 64,
    first: "a-z0-9", rest: "a-z0-9._-")
  static let name = word(
    "a name of letters, digits, '.', '_', '+' and '-'", upTo: 128, first: "A-Za-z0-9",
    rest: "A-Za-z0-9._+-")
  static let label = Form(name: "a label of at most 16 bytes") { text in
    text.utf8.count <= 16 && Form.text.accepts(text)
  }
  static let hostname = Form(
    name: "a host name of letters, digits and '-', at most 64 characters"
  ) { text in
    text.utf8.count <= 64
      && parts(of: text, at: ".").allSatisfy {
        isWord($0, first: "A-Za-z0-9", rest: "A-Za-z0-9-") && !$0.hasSuffix("-")
      }
  }
  static let timezone = Form(name: "a time zone such as 'Europe/Berlin'") { text in
    text.utf8.count <= 64
      && parts(of: text, at: "/").allSatisfy {
        isWord($0, first: "A-Za-z0-9+-", rest: "A-Za-z0-9_+-")
      }
  }
  static let locale = word(
    "a locale such as 'C.UTF-8'", upTo: 64, first: "A-Za-z", rest: "A-Za-z0-9_.@-")
  static let suite = word(
    "a suite such as 'bookworm'", upTo: 64, first: "a-z0-9", rest: "a-z0-9.+-")
  static let component = Form(name: "a component such as 'main'") { text in
    text.utf8.count <= 64
      && parts(of: text, at: "/").allSatisfy { isWord($0, first: "a-z0-9", rest: "a-z0-9-") }
  }
  static let snapshot = Form(name: "a time such as '20261120T000000Z'") { text in
    let parts = parts(of: text, at: "T")
    return parts.count == 2 && parts[0].utf8.count == 8 && parts[1].utf8.count == 7
      && isWord(parts[0], first: "0-9", rest: "0-9") && parts[1].hasSuffix("Z")
      && isWord(parts[1].dropLast(), first: "0-9", rest: "0-9")
  }
  static let package = Form(name: "a package, 'name' or 'name=version'") { text in
    let name = text.prefix { $0 != "=" }
    let version = text.dropFirst(name.count)
    return packageName.accepts(String(name))
      && (version.isEmpty || isWord(version, first: "=", rest: "A-Za-z0-9.+:~-") && version != "=")
  }
  static let packageName = Form(name: "the name of a package") { name in
    name.utf8.count >= 2 && isWord(name, first: "a-z0-9", rest: "a-z0-9+.-")
  }
  static let sha256 = Form(name: "64 hexadecimal digits") { ContentHash(hex: $0) != nil }
  static let wheel = Form(
    name: "a package and its exact version, 'name==1.2.3'",
    accepts: { text in
      guard let mark = text.firstRange(of: "==") else { return false }
      return isWord(text[..<mark.lowerBound], first: "A-Za-z0-9", rest: "A-Za-z0-9._-")
        && isWord(text[mark.upperBound...], first: "0-9A-Za-z", rest: "A-Za-z0-9.+!-")
    },
    hint: { text in
      text.contains("==") && !text.contains("*") ? nil : "the lock needs one exact version"
    })
  static let userName = word(
    "a name of small letters, digits, '_' and '-', at most 32 characters", upTo: 32,
    first: "a-z_", rest: "a-z0-9_-")
  static let owner = Form(name: "'user' or 'user:group', names or numbers") { text in
    let parts = parts(of: text, at: ":")
    return parts.count <= 2
      && parts.allSatisfy { UInt32($0) != nil || userName.accepts(String($0)) }
  }
  static let comment = Form(name: "a text without ':' and control characters") { text in
    Form.text.accepts(text) && !text.contains(":")
  }
  static let variableName = word(
    "the name of an environment variable", first: "A-Za-z_", rest: "A-Za-z0-9_")
  static let npmPackage = Form(name: "a package such as '@scope/name@1.2.3'") { text in
    let end = text.dropFirst().firstIndex(of: "@") ?? text.endIndex
    let range = text[end...].dropFirst()
    return isNPMName(text[..<end]) && !text.hasSuffix("@") && text.utf8.count <= 512
      && range.utf8.allSatisfy { $0 >= 32 && $0 < 127 && !"/:@\"'\\".utf8.contains($0) }
  }
  static let npmName = Form(name: "the name of a package such as '@scope/name'") {
    isNPMName($0[...]) && $0.utf8.count <= 214
  }
  static let npmRegistry = Form(
    name: "'default' or the address of a registry",
    accepts: { $0 == "default" || Form.url.accepts($0) && $0.hasPrefix("http") },
    hint: Form.url.hint)
  static let nodeVersion = Form(name: "a version such as '20.18.0'") { text in
    let numbers = parts(of: text[...], at: ".")
    return numbers.count == 3
      && numbers.allSatisfy { $0.utf8.count < 10 && isWord($0, first: "0-9", rest: "0-9") }
  }

  /// One of a few words.
  static func oneOf(_ words: [String]) -> Form {
    Form(
      name: alternatives(words), accepts: { words.contains($0) },
      hint: { suggestion(for: $0, among: words) })
  }

  /// An absolute path in the image, as short as it can be written; `/` itself only as a folder.
  static let imagePath = Form(
    name: "an absolute path in the image",
    accepts: { path in
      path.hasPrefix("/") && isPlainPath(path.dropFirst()) && path.utf8.count <= 4095
    },
    hint: { path in
      if !path.hasPrefix("/") { return "it begins with '/'" }
      if path.count > 1, path.hasSuffix("/") { return "without '/' at the end" }
      return "without '//', '.' and '..' as parts"
    })

  /// An absolute path in the image that may end with `/`, and be `/` alone.
  static let imageFolder = Form(
    name: Form.imagePath.name,
    accepts: { path in
      path == "/" || Form.imagePath.accepts(path.hasSuffix("/") ? String(path.dropLast()) : path)
    },
    hint: { path in
      path.hasPrefix("/") ? "without '//', '.' and '..' as parts" : "it begins with '/'"
    })

  /// Where a symbolic link points to.
  static let linkTarget = Form(name: "the target of a link") { target in
    !target.isEmpty && target.utf8.count <= 4095 && Form.text.accepts(target)
  }

  static let duration = Form(name: "a time such as '14d'") { secondsOfTime($0) != nil }

  /// A path within an archive or a wheel; one that ends with `/` is a folder.
  static let memberPath = Form(
    name: "a relative path without '..'",
    accepts: { path in isPlainPath(path.hasSuffix("/") ? path.dropLast() : path[...]) })

  /// A path of the host.
  static let hostPath = Form(name: "a path") { !$0.isEmpty && Form.text.accepts($0) }

  /// A unit of systemd: with a suffix that it knows; `isPattern` admits `*`, `?` and `[…]`.
  static func unit(isPattern: Bool) -> Form {
    Form(
      name: isPattern ? "the name of a unit or a pattern of names" : "the name of a unit",
      accepts: { name in
        let letters: Letters =
          isPattern ? #"A-Za-z0-9:_.\@*?[]!-"# : #"A-Za-z0-9:_.\@-"#
        guard name.utf8.count <= 255, isWord(name, first: letters, rest: letters)
        else { return false }
        if isPattern, name.hasSuffix("*") { return true }
        return unitSuffixes.contains { name.hasSuffix($0) && name.utf8.count > $0.utf8.count }
      },
      hint: { name in
        if !isPattern, name.contains(where: { "*?[".contains($0) }) {
          return "patterns are for 'mask' only"
        }
        guard !unitSuffixes.contains(where: { name.hasSuffix($0) }) else { return nil }
        guard let dot = name.lastIndex(of: ".") else { return "did you mean '\(name).service'?" }
        return nearestName(to: String(name[dot...]), among: unitSuffixes)
          .map { "did you mean '\(name[..<dot])\($0)'?" }
          ?? "it ends with '.service', '.socket', '.timer' or the like"
      })
  }

  static let url = Form(
    name: "an address that begins with 'https://', 'http://' or 'file:///'",
    accepts: { text in
      guard isWord(text, first: "a-z", rest: "!-~") else { return false }
      if text.hasPrefix("file:///") { return text.utf8.count > 8 }
      guard text.hasPrefix("http://") || text.hasPrefix("https://") else { return false }
      let host = authority(of: text)
      return !host.isEmpty && !host.contains("@")
    },
    hint: { text in
      authority(of: text).contains("@") ? "it cannot hold a user name or password" : nil
    })
}

/// What stands between the `//` of an address and its path; empty without `//`.
private func authority(of url: String) -> Substring {
  guard let start = url.firstRange(of: "//")?.upperBound else { return "" }
  return url[start...].prefix { !"/?#".contains($0) }
}

/// A text without the user name and the password of an address, for those who may not know them.
func withoutCredentials(_ text: String) -> String {
  let host = authority(of: text)
  guard let at = host.lastIndex(of: "@") else { return text }
  return String(text[..<host.startIndex]) + "…" + text[at...]
}

/// A set of printable ASCII characters, written like `a-z0-9_-`: a `-` at the end is one itself.
private struct Letters: ExpressibleByStringLiteral, Sendable {
  private var members: UInt128 = 0

  init(stringLiteral text: StaticString) {
    text.withUTF8Buffer { bytes in
      var index = 0
      while index < bytes.count {
        let isRange = index + 2 < bytes.count && bytes[index + 1] == UInt8(ascii: "-")
        let last = isRange ? index + 2 : index
        members |= ((1 << (bytes[last] - bytes[index] + 1)) - 1) << bytes[index]
        index = last + 1
      }
    }
  }

  func contains(_ byte: UInt8) -> Bool { byte < 128 && members >> byte & 1 == 1 }
}

/// Whether a text is one character of `first`, then any number of `rest`.
private func isWord(_ text: some StringProtocol, first: Letters, rest: Letters) -> Bool {
  guard let start = text.utf8.first, first.contains(start) else { return false }
  return text.utf8.dropFirst().allSatisfy { rest.contains($0) }
}

private func parts(of text: some StringProtocol, at mark: Character) -> [Substring] {
  Substring(text).split(separator: mark, omittingEmptySubsequences: false)
}

let unitSuffixes = [
  ".service", ".socket", ".timer", ".target", ".mount", ".automount", ".path", ".swap", ".slice",
  ".scope", ".device",
]

/// Whether a path without its leading `/` has no empty parts, no `.` and no `..`.
private func isPlainPath(_ path: Substring) -> Bool {
  guard Form.text.accepts(String(path)), !path.isEmpty else { return false }
  return path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
    !part.isEmpty && part != "." && part != ".." && part.utf8.count <= 255
  }
}

/// Whether a text is the name of an npm package, with or without a scope.
private func isNPMName(_ text: Substring) -> Bool {
  let scope = text.hasPrefix("@") ? parts(of: text.dropFirst(), at: "/")[0] : "none"
  let name = text.hasPrefix("@") ? text.dropFirst(scope.utf8.count + 2) : text
  return isWord(scope, first: "a-z0-9~-", rest: "a-z0-9._~-")
    && isWord(name, first: "a-z0-9~-", rest: "a-z0-9._~-")
}
