public import Model

extension Lock {
  /// The lock as text: one line for each package, keys sorted, a line feed at the end.
  ///
  /// The same lock gives the same bytes, and a changed pin changes one line. Format: `docs/lock.md`.
  public var text: String {
    var members: [(String, String)] = [
      (
        "archives",
        list(archives) {
          ($0.depends.isEmpty ? [] : [("depends", array($0.depends.map(quoted)))])
            + [("file", $0.file.json), ("name", quoted($0.name))]
        }
      )
    ]
    // So with what boots an image.
    if !boot.isEmpty { members.append(("boot", list(boot) { $0.members(isStaged: false) })) }
    members += [
      (
        "environment",
        object(environment.sorted { $0.key < $1.key }.map { ($0.key, quoted($0.value)) })
      ),
      ("epoch", "\(epoch)"),
    ]
    // A lock without such tools has no such line, so that it reads as it always did.
    if !npm.isEmpty { members.append(("npm", npmText(npm))) }
    members += [
      ("packages", list(packages) { $0.members(isStaged: !stages.isEmpty) }),
      ("recipe", quoted(recipe.hex)),
      ("repositories", list(repositories, \.members)),
      ("schema", "\(schema)"),
    ]
    if !stages.isEmpty { members.append(("stages", array(stages.map(quoted)))) }
    members.append(
      (
        "wheels",
        list(wheels) {
          [
            ("file", $0.file.json), ("name", quoted($0.name)), ("version", quoted($0.version)),
          ]
        }
      ))
    let lines = members.map { "  \(quoted($0.0)): \($0.1)" }
    return "{\n\(lines.joined(separator: ",\n"))\n}\n"
  }
}

extension Lock.Package {
  fileprivate func members(isStaged: Bool) -> [(String, String)] {
    [
      ("architecture", quoted(architecture)), ("deb", deb.json),
      ("isEssential", "\(isEssential)"), ("name", quoted(name)),
      ("repository", quoted(repository)),
    ] + (isStaged ? [("stage", "\(stage)")] : []) + [("version", quoted(version))]
  }
}

extension Lock.Repository {
  fileprivate var members: [(String, String)] {
    var members = [
      ("date", "\(date)"), ("earlier", array(earlier.map(\.json))), ("id", quoted(id)),
      ("inRelease", quoted(inRelease.hex)), ("indices", array(indices.map(\.json))),
      ("priority", "\(priority)"), ("signedBy", array(signedBy.map(quoted))),
    ]
    if let validUntil { members.append(("validUntil", "\(validUntil)")) }
    return members
  }
}

extension Lock.Blob {
  var json: String {
    object([("path", quoted(path)), ("sha256", quoted(sha256.hex)), ("size", "\(size)")])
  }
}

/// An array with a line for each element.
private func list<Element>(
  _ elements: [Element], _ members: (Element) -> [(String, String)]
) -> String {
  if elements.isEmpty { return "[]" }
  return "[\n\(elements.map { "    " + object(members($0)) }.joined(separator: ",\n"))\n  ]"
}

func array(_ elements: [String]) -> String { "[\(elements.joined(separator: ", "))]" }

func object(_ members: [(String, String)]) -> String {
  "{\(members.map { "\(quoted($0.0)): \($0.1)" }.joined(separator: ", "))}"
}

/// A JSON string.
func quoted(_ text: String) -> String {
  var quoted = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": quoted += "\\\""
    case "\\": quoted += "\\\\"
    case "\n": quoted += "\\n"
    case _ where scalar.value < 32 || scalar.value == 127:
      let digits = String(scalar.value, radix: 16)
      quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    default: quoted.unicodeScalars.append(scalar)
    }
  }
  return quoted + "\""
}
