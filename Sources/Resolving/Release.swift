internal import Model

/// What the signed text of an InRelease file says.
struct Release: Sendable, Equatable {
  struct Entry: Sendable, Equatable {
    var size: Int
    var sha256: ContentHash
  }

  var origin: String
  var suite: String
  var codename: String
  /// Seconds since 1970.
  var date: Int
  var validUntil: Int?
  var components: [String]
  var architectures: [String]
  var offersByHash: Bool
  /// False: packages for all architectures are in the index of each.
  var hasIndexForAll: Bool
  /// apt's priority of what it holds: 500, or less where it asks for that, as backports do.
  var priority: Int
  /// By path from the folder of the Release file.
  var files: [String: Entry]

  /// Reads the signed text.
  ///
  /// - Parameter file: what messages call it.
  init(parsing text: String, file: String) throws(ResolvingFailure) {
    func malformed(_ reason: String) -> ResolvingFailure {
      .untrusted(file: file, .malformed(reason))
    }
    guard let fields = ControlParagraph.paragraphs(of: text).first else {
      throw malformed("it is empty")
    }
    guard let date = fields["Date"].flatMap({ seconds(ofReleaseDate: $0) }) else {
      throw malformed("no 'Date' that can be read")
    }
    self.date = date
    if let text = fields["Valid-Until"] {
      guard let until = seconds(ofReleaseDate: text) else {
        throw malformed("'Valid-Until: \(text)' cannot be read")
      }
      validUntil = until
    }
    origin = fields["Origin"] ?? ""
    suite = fields["Suite"] ?? ""
    codename = fields["Codename"] ?? ""
    components = fields.words("Components")
    architectures = fields.words("Architectures")
    offersByHash = fields.truth("Acquire-By-Hash") ?? false
    hasIndexForAll =
      architectures.contains("all")
      && !fields.words("No-Support-for-Architecture-all").contains("Packages")
    let isAutomatic = fields.truth("NotAutomatic") != true
    priority = isAutomatic ? 500 : fields.truth("ButAutomaticUpgrades") == true ? 100 : 1
    files = [:]
    for line in (fields["SHA256"] ?? "").split(whereSeparator: \.isNewline) {
      let parts = line.split(whereSeparator: \.isWhitespace)
      guard parts.count == 3, let hash = ContentHash(hex: parts[0]), let size = Int(parts[1]),
        size >= 0
      else { throw malformed("'\(line)' is not a line of its 'SHA256' list") }
      files[String(parts[2])] = Entry(size: size, sha256: hash)
    }
    guard !files.isEmpty else { throw malformed("no 'SHA256' list") }
  }
}
