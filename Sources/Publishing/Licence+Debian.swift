/// The licences that a package's `copyright` names, as one expression; nil when it names none.
///
/// Read are the short names of the machine-readable form, else the names of the common licences that
/// the text refers to. Source: Debian's "Machine-readable debian/copyright file", 1.0.
public func debianLicence(copyright text: String) -> String? {
  var names: [String] = []
  func note(_ name: String) {
    if !name.isEmpty, !names.contains(name) { names.append(name) }
  }
  let lines = text.split(separator: "\n")
  if lines.first?.hasPrefix("Format") == true {
    for line in lines where line.hasPrefix("License:") {
      note(expression(line.dropFirst("License:".count)))
    }
  }
  if names.isEmpty {
    let folder = "/usr/share/common-licenses/"
    for line in lines {
      guard let start = line.firstRange(of: folder)?.upperBound else { continue }
      let name = line[start...].prefix { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "." }
      note(String(name.last == "." ? name.dropLast() : name))
    }
  }
  guard !names.isEmpty else { return nil }
  return names.map { names.count > 1 && $0.contains(" OR ") ? "(\($0))" : $0 }
    .joined(separator: " AND ")
}

/// A field's value with the operators that SPDX has; a name of several words becomes one.
private func expression(_ value: Substring) -> String {
  let words = value.replacing(",", with: "").split(whereSeparator: \.isWhitespace)
  var parts: [[Substring]] = [[]]
  var operators: [String] = []
  for word in words {
    switch word.lowercased() {
    case "and", "and/or", "or":
      operators.append(word.lowercased() == "and" ? "AND" : "OR")
      parts.append([])
    default: parts[parts.count - 1].append(word)
    }
  }
  guard parts.allSatisfy({ !$0.isEmpty }) else {
    return words.joined(separator: "-")
  }
  var text = parts[0].joined(separator: "-")
  for (index, word) in operators.enumerated() {
    text += " \(word) " + parts[index + 1].joined(separator: "-")
  }
  return text
}
