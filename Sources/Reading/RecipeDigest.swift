internal import Content
internal import Model

/// Keys whose values are paths of the host.
private let localKeys: Set<String> = [
  "base.keyring", "archive.source", "file.source", "unit.source", "agent.source", "agent.unit",
  "boot.kernel", "boot.initrd",
]

/// The hash of a merged and expanded recipe's content.
///
/// It does not depend on comments, layout, the order of keys and tables, on how content is spread
/// over extended files, nor on the folder in which the program runs: keys are sorted, and paths of
/// the host count from the recipe's folder. The content of the files they name does not count.
func digest(of table: TOMLTable, recipe: String) -> ContentHash {
  var canonical = CanonicalText(folder: localPath(".", from: recipe))
  canonical.append(table, path: "")
  return ContentHash(of: "build-snapshot recipe 1\n" + canonical.text)
}

/// A recipe written in the one way that does not depend on its author's.
private struct CanonicalText {
  var text = ""
  private let folder: String

  init(folder: String) { self.folder = folder }

  mutating func append(_ table: TOMLTable, path: String) {
    text += "{"
    let entries = table.entries.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    for entry in entries {
      append(entry.key)
      text += "="
      append(entry.value, path: path.isEmpty ? entry.key : "\(path).\(entry.key)")
      text += "\n"
    }
    text += "}"
  }

  private mutating func append(_ value: TOMLValue, path: String) {
    switch value.content {
    case .string(let string)
    where localKeys.contains(path) && !string.hasPrefix("/") && !string.hasPrefix("product:"):
      append(relative(localPath(string, from: value.position.file)))
    case .string(let string): append(string)
    case .integer(let number, _): text += String(number)
    case .float(let number): text += String(number)
    case .boolean(let flag): text += String(flag)
    case .dateTime(let time): text += time.text
    case .table(let table): append(table, path: path)
    case .array(let values):
      text += "["
      for value in values {
        append(value, path: path)
        text += ","
      }
      text += "]"
    }
  }

  /// Text in quotes; the length before it keeps any two texts apart.
  private mutating func append(_ string: String) { text += "\(string.utf8.count)\"\(string)\"" }

  /// A path as it counts from the recipe's folder; one on another root stays as it is.
  private func relative(_ path: String) -> String {
    guard path.hasPrefix("/") == folder.hasPrefix("/") else { return path }
    let parts = pathParts(path)
    let above = folder == "." ? [] : pathParts(folder)
    let common = zip(parts, above).prefix { $0 == $1 }.count
    return (above[common...].map { _ in ".." } + parts[common...]).joined(separator: "/")
  }
}
