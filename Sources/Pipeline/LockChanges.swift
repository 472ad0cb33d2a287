internal import Content
internal import Model

/// What differs between two locks, a line each, as `lock` shows it.
func changes(from old: Lock?, to new: Lock) -> [String] {
  guard let old else { return ["new lock: \(new.packages.count) packages"] }
  guard old != new else { return [] }
  var lines: [String] = []
  lines += changes(
    from: old.packages.map { ("\($0.name):\($0.architecture)", $0.version, $0.deb.sha256) },
    to: new.packages.map { ("\($0.name):\($0.architecture)", $0.version, $0.deb.sha256) })
  lines += changes(
    from: old.archives.map { ($0.name, $0.file.path, $0.file.sha256) },
    to: new.archives.map { ($0.name, $0.file.path, $0.file.sha256) })
  lines += changes(
    from: old.wheels.map { ($0.name, $0.version, $0.file.sha256) },
    to: new.wheels.map { ($0.name, $0.version, $0.file.sha256) })
  lines += changes(from: pins(of: old.npm), to: pins(of: new.npm))
  for repository in new.repositories {
    let before = old.repositories.first { $0.id == repository.id }
    if before?.date != repository.date { lines.append("~ repository \(repository.id)") }
  }
  return lines.isEmpty ? ["~ recipe"] : lines
}

private typealias Pin = (name: String, version: String, hash: ContentHash)

/// A pin for each tool; its hash stands for all that comes with it.
private func pins(of tools: [Lock.NPMProject]) -> [Pin] {
  tools.map { tool in
    let hashes = tool.packages.map { "\($0.path) \($0.tarball.sha256)" }
    return (tool.package, tool.version, ContentHash(of: hashes.joined(separator: "\n")))
  }
}

private func changes(from old: [Pin], to new: [Pin]) -> [String] {
  let before = Dictionary(old.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  let after = Dictionary(new.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  return Set(before.keys).union(after.keys).sorted().compactMap { name in
    switch (before[name], after[name]) {
    case (nil, let added?): "+ \(name) \(added.version)"
    case (let removed?, nil): "- \(name) \(removed.version)"
    case (let was?, let now?) where was.version != now.version:
      "~ \(name) \(was.version) → \(now.version)"
    case (let was?, let now?) where was.hash != now.hash: "~ \(name) \(now.version) has other bytes"
    default: nil
    }
  }
}
