/// The form of a text value: what messages call it, and the test for it.
struct Form: Sendable {
  /// Completes `'key' must be …`.
  var name: String
  var accepts: @Sendable (String) -> Bool
  /// Explains a likely mistake in a value that was not accepted.
  var hint: @Sendable (String) -> String? = { _ in nil }
}

extension Form {
  /// A text of limited length in UTF-8 that a test accepts.
  private static func short(
    _ name: String, upTo length: Int = 4096, _ accepts: @escaping @Sendable (String) -> Bool
  ) -> Form {
    Form(name: name) { $0.utf8.count <= length && accepts($0) }
  }

  static let text = Form(name: "a text without control characters") { text in
    !text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
  }
  static let anyText = Form(name: "a text without U+0000") { !$0.unicodeScalars.contains("\0") }
  static let imageName = short(
    "a name of small letters, digits, '.', '_' and '-', at most 64 characters", upTo: 64
  ) { $0.wholeMatch(of: /[a-z0-9][a-z0-9._\-]*/) != nil }
  static let name = short(
    "a name of letters, digits, '.', '_', '+' and '-'", upTo: 128
  ) { $0.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9._+\-]*/) != nil }
  static let label = Form(name: "a label of at most 16 bytes") { text in
    text.utf8.count <= 16 && Form.text.accepts(text)
  }
  static let hostname = short(
    "a host name of letters, digits and '-', at most 64 characters", upTo: 64
  ) {
    $0.wholeMatch(
      of:
        /[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?)*/)
      != nil
  }
  static let timezone = short("a time zone such as 'Europe/Berlin'", upTo: 64) {
    $0.wholeMatch(of: /[A-Za-z][A-Za-z0-9_+\-]*(?:\/[A-Za-z0-9_+\-]+)*/) != nil
  }
  static let locale = short("a locale such as 'C.UTF-8'", upTo: 64) {
    $0.wholeMatch(of: /[A-Za-z][A-Za-z0-9_.@\-]*/) != nil
  }
  static let suite = short("a suite such as 'bookworm'", upTo: 64) {
    $0.wholeMatch(of: /[a-z0-9][a-z0-9.+\-]*/) != nil
  }
  static let component = short("a component such as 'main'", upTo: 64) {
    $0.wholeMatch(of: /[a-z0-9][a-z0-9\-]*(?:\/[a-z0-9\-]+)*/) != nil
  }
  static let snapshot = short("a time such as '20261120T000000Z'") {
    $0.wholeMatch(of: /[0-9]{8}T[0-9]{6}Z/) != nil
  }
  static let package = short("a package, 'name' or 'name=version'") {
    $0.wholeMatch(of: /[a-z0-9][a-z0-9+.\-]+(?:=[A-Za-z0-9.+:~\-]+)?/) != nil
  }
  static let packageName = short("the name of a package") {
    $0.wholeMatch(of: /[a-z0-9][a-z0-9+.\-]+/) != nil
  }
  static let sha256 = short("64 hexadecimal digits") { $0.wholeMatch(of: /[0-9A-Fa-f]{64}/) != nil }
  static let wheel = Form(
    name: "a package and its exact version, 'name==1.2.3'",
    accepts: { text in
      let name = /[A-Za-z0-9](?:[A-Za-z0-9._\-]*[A-Za-z0-9])?==[A-Za-z0-9.+!\-]+/
      return text.wholeMatch(of: name) != nil
    },
    hint: { text in
      text.contains(/[<>~!*]/) || !text.contains("==") ? "the lock needs one exact version" : nil
    })
  static let userName = short(
    "a name of small letters, digits, '_' and '-', at most 32 characters", upTo: 32
  ) { $0.wholeMatch(of: /[a-z_][a-z0-9_\-]*/) != nil }
  static let owner = short("'user' or 'user:group', names or numbers") {
    $0.wholeMatch(of: /(?:[a-z_][a-z0-9_\-]*|[0-9]{1,10})(?::(?:[a-z_][a-z0-9_\-]*|[0-9]{1,10}))?/)
      != nil
  }
  static let comment = Form(name: "a text without ':' and control characters") { text in
    Form.text.accepts(text) && !text.contains(":")
  }
  static let variableName = short("the name of an environment variable") {
    $0.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_]*/) != nil
  }
  static let npmPackage = short("a package such as '@scope/name@1.2.3'") {
    $0.wholeMatch(of: /(?:@[a-z0-9~\-][a-z0-9._~\-]*\/)?[a-z0-9~\-][a-z0-9._~\-]*(?:@\S+)?/) != nil
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

  static let duration = short("a time such as '14d'") {
    $0.wholeMatch(of: /[1-9][0-9]{0,5}[smhdw]/) != nil
  }

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
        let letters = isPattern ? /[A-Za-z0-9:_.\\@*?\[\]!\-]+/ : /[A-Za-z0-9:_.\\@\-]+/
        guard name.utf8.count <= 255, name.wholeMatch(of: letters) != nil else { return false }
        if isPattern, name.hasSuffix("*") { return true }
        return unitSuffixes.contains { name.hasSuffix($0) && name.utf8.count > $0.utf8.count }
      },
      hint: { name in
        if !isPattern, name.contains(/[*?\[]/) { return "patterns are for 'mask' only" }
        guard !unitSuffixes.contains(where: { name.hasSuffix($0) }) else { return nil }
        guard let dot = name.lastIndex(of: ".") else { return "did you mean '\(name).service'?" }
        return nearest(to: String(name[dot...]), among: unitSuffixes)
          .map { "did you mean '\(name[..<dot])\($0)'?" }
          ?? "it ends with '.service', '.socket', '.timer' or the like"
      })
  }

  static let url = Form(
    name: "an address that begins with 'https://', 'http://' or 'file:///'",
    accepts: { text in
      guard text.wholeMatch(of: /[!-~]+/) != nil else { return false }
      return text.wholeMatch(of: /https?:\/\/[^\/@?#]+(?:[\/?#].*)?|file:\/\/\/.+/) != nil
    },
    hint: { text in
      text.contains(/\/\/[^\/]*@/) ? "it cannot hold a user name or password" : nil
    })
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
