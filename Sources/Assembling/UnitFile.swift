/// The name of a systemd unit and its parts: `getty@tty1.service`.
struct UnitName: Equatable, Hashable {
  let text: String

  init(_ text: String) { self.text = text }

  /// `.service`, with its dot; empty for none.
  var suffix: String { text.lastIndex(of: ".").map { String(text[$0...]) } ?? "" }
  private var stem: Substring { text.lastIndex(of: ".").map { text[..<$0] } ?? text[...] }
  /// The part before `@`, or before the suffix.
  var prefix: String { String(stem.prefix { $0 != "@" }) }
  /// The part after `@`; empty for a template, nil where there is no `@`.
  var instance: String? { stem.firstIndex(of: "@").map { String(stem[stem.index(after: $0)...]) } }
  var isTemplate: Bool { instance?.isEmpty == true }
  var isInstance: Bool { instance?.isEmpty == false }

  /// The template of an instance.
  var template: UnitName { UnitName("\(prefix)@\(suffix)") }

  /// An instance of a template.
  func instance(_ name: String) -> UnitName { UnitName("\(prefix)@\(name)\(suffix)") }

  private static let suffixes = [
    ".service", ".socket", ".target", ".timer", ".mount", ".automount", ".path", ".swap", ".slice",
    ".scope", ".device",
  ]

  /// Whether systemd takes it for a unit.
  var isValid: Bool {
    Self.suffixes.contains(suffix) && !prefix.isEmpty && text.utf8.count <= 255
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"):
          true
        default: ":-_.\\@".utf8.contains(byte)
        }
      }
  }
}

/// The `[Install]` section of a unit file and its drop-ins: what enabling it means.
struct InstallSection: Equatable {
  var wantedBy: [String] = []
  var requiredBy: [String] = []
  var upheldBy: [String] = []
  var aliases: [String] = []
  var also: [String] = []
  var defaultInstance: String?

  var isEmpty: Bool { self == InstallSection() }

  /// Takes over what a file says; an empty value takes back what came before.
  mutating func read(_ text: String) {
    var isInstall = false
    for line in logicalLines(of: text) {
      if line.hasPrefix("[") {
        isInstall = line == "[Install]"
        continue
      }
      guard isInstall, let equals = line.firstIndex(of: "=") else { continue }
      let value = trimmed(line[line.index(after: equals)...])
      let words = value.split(whereSeparator: \.isWhitespace).map(String.init)
      switch trimmed(line[..<equals]) {
      case "WantedBy": wantedBy = words.isEmpty ? [] : wantedBy + words
      case "RequiredBy": requiredBy = words.isEmpty ? [] : requiredBy + words
      case "UpheldBy": upheldBy = words.isEmpty ? [] : upheldBy + words
      case "Alias": aliases = words.isEmpty ? [] : aliases + words
      case "Also": also = words.isEmpty ? [] : also + words
      case "DefaultInstance": defaultInstance = value.isEmpty ? nil : value
      default: continue
      }
    }
  }
}

/// Lines without comments and blank lines; one that ends with a backslash goes on in the next.
private func logicalLines(of text: String) -> [String] {
  var lines: [String] = []
  var open: String?
  for raw in text.split(separator: "\n", omittingEmptySubsequences: false) {
    let line = trimmed(raw)
    if line.hasPrefix("#") || line.hasPrefix(";") { continue }
    let whole = (open ?? "") + line
    if whole.hasSuffix("\\") {
      open = whole.dropLast() + " "
      continue
    }
    open = nil
    if !whole.isEmpty { lines.append(whole) }
  }
  return lines
}

private func trimmed(_ text: some StringProtocol) -> String {
  let start = text.drop { $0.isWhitespace }
  guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
  return String(start[...last])
}
