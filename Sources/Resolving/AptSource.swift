/// Whose signatures a source of apt accepts.
enum SignedBy: Sendable, Equatable {
  /// Files of keys: binary, or armored where the name ends with `.asc`.
  case files([String])
  /// An armored key, as deb822 sources may hold it.
  case inline(String)
  /// Fingerprints, to be looked up among the host's trusted keys.
  case fingerprints([String])
}

/// One entry of the host's apt sources for binary packages.
struct AptSource: Sendable, Equatable {
  /// Base addresses, without a slash at the end.
  var uris: [String]
  /// Without those that are paths (flat repositories), which no distribution has.
  var suites: [String]
  var components: [String]
  /// Empty: all of apt's.
  var architectures: [String] = []
  /// Nil: any of the host's trusted keys.
  var signedBy: SignedBy?
  /// False: the administrator accepts a Release file whose Valid-Until has passed.
  var checksExpiry: Bool?

  /// Reads a deb822 file (`*.sources`); entries that are off or only for sources are left out.
  static func entries(ofDeb822 text: String) -> [AptSource] {
    ControlParagraph.paragraphs(of: text).compactMap { paragraph in
      guard paragraph.truth("Enabled") != false, paragraph.words("Types").contains("deb")
      else { return nil }
      return AptSource(
        uris: paragraph.words("URIs").map(withoutSlash),
        suites: paragraph.words("Suites").filter { !$0.hasSuffix("/") },
        components: paragraph.words("Components"),
        architectures: paragraph.words("Architectures"),
        signedBy: signedBy(paragraph["Signed-By"]),
        checksExpiry: paragraph.truth("Check-Valid-Until"))
    }
  }

  /// Reads a file of one-line entries (`*.list`): `deb [option=value …] URI suite component…`.
  static func entries(ofList text: String) -> [AptSource] {
    text.split(whereSeparator: \.isNewline).compactMap { line in
      var rest = line.prefix { $0 != "#" }.drop { $0.isWhitespace }
      guard rest.hasPrefix("deb"), rest.dropFirst(3).first?.isWhitespace == true
      else { return nil }
      rest = rest.dropFirst(3).drop { $0.isWhitespace }
      var options: [String: String] = [:]
      if rest.first == "[" {
        guard let end = rest.firstIndex(of: "]") else { return nil }
        for option in rest[..<end].dropFirst().split(whereSeparator: \.isWhitespace) {
          let pair = option.split(separator: "=", maxSplits: 1)
          if pair.count == 2 { options[pair[0].lowercased()] = String(pair[1]) }
        }
        rest = rest[rest.index(after: end)...]
      }
      let words = rest.split(whereSeparator: \.isWhitespace).map(String.init)
      guard words.count >= 3 else { return nil }
      return AptSource(
        uris: [withoutSlash(words[0])], suites: [words[1]], components: Array(words[2...]),
        architectures: (options["arch"] ?? "").split(separator: ",").map(String.init),
        signedBy: signedBy(options["signed-by"]),
        checksExpiry: options["check-valid-until"].map { !["no", "false"].contains($0) })
    }
  }

  /// Reads the value of Signed-By. Source: sources.list(5).
  private static func signedBy(_ value: String?) -> SignedBy? {
    guard let value, !value.isEmpty else { return nil }
    if value.contains("BEGIN PGP PUBLIC KEY BLOCK") {
      let lines = value.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      return .inline(lines.map { $0 == "." ? "" : String($0) }.joined(separator: "\n") + "\n")
    }
    let words = value.split(whereSeparator: { $0.isWhitespace || $0 == "," }).map(String.init)
    let paths = words.filter { $0.hasPrefix("/") }
    return paths.isEmpty
      ? .fingerprints(words.map { $0.filter { $0 != "!" }.uppercased() }) : .files(paths)
  }
}

/// An address without the slashes at its end.
func withoutSlash(_ address: String) -> String {
  var address = address
  while address.hasSuffix("/") { address.removeLast() }
  return address
}
