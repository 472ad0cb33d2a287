/// A paragraph of `Field: value` lines, as Release files, Packages indices and deb822 sources have.
///
/// Names of fields do not depend on case. Lines that begin with white space continue the value and
/// are kept with a line feed before them. Source: deb-control(5), deb822(5).
struct ControlParagraph: Sendable, Equatable {
  private var fields: [String: String] = [:]

  subscript(_ name: String) -> String? { fields[name.lowercased()] }

  var isEmpty: Bool { fields.isEmpty }

  /// The value's words.
  func words(_ name: String) -> [String] {
    (self[name] ?? "").split(whereSeparator: \.isWhitespace).map(String.init)
  }

  /// Whether the field says yes; nil when it is absent or says neither.
  func truth(_ name: String) -> Bool? {
    switch self[name]?.lowercased() {
    case "yes", "true", "on", "1", "enable", "with": true
    case "no", "false", "off", "0", "disable", "without": false
    default: nil
    }
  }

  /// Reads the paragraphs of a text; comment lines begin with `#`, other lines are passed over.
  static func paragraphs(of text: some StringProtocol) -> [ControlParagraph] {
    var all: [ControlParagraph] = []
    var current = ControlParagraph()
    var field: String?
    for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      if line.allSatisfy(\.isWhitespace) {
        if !current.isEmpty { all.append(current) }
        current = ControlParagraph()
        field = nil
      } else if line.hasPrefix("#") {
        continue
      } else if line.first?.isWhitespace == true {
        if let field { current.fields[field, default: ""] += "\n" + line.trimmed }
      } else if let colon = line.firstIndex(of: ":") {
        let name = line[..<colon].lowercased()
        current.fields[name] = line[line.index(after: colon)...].trimmed
        field = name
      }
    }
    if !current.isEmpty { all.append(current) }
    return all
  }
}
