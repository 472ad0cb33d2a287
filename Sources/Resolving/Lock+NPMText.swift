internal import Model

/// The projects of npm as text: one line for each project and for each of its packages.
func npmText(_ projects: [Lock.NPMProject]) -> String {
  let texts = projects.map { project in
    let head = object([
      ("commands", object(of: project.commands)), ("isNative", "\(project.isNative)"),
      ("name", quoted(project.name)), ("package", quoted(project.package)),
    ]).dropLast()
    let tail = object([
      ("places", object(of: project.places)), ("range", quoted(project.range)),
      ("version", quoted(project.version)),
    ]).dropFirst()
    let packages = project.packages.map { "      " + object($0.members) }
    return "    \(head), \"packages\": [\n\(packages.joined(separator: ",\n"))\n    ], \(tail)"
  }
  return "[\n\(texts.joined(separator: ",\n"))\n  ]"
}

extension Lock.NPMPackage {
  fileprivate var members: [(String, String)] {
    var members: [(String, String)] = []
    if !bin.isEmpty { members.append(("bin", object(of: bin))) }
    if !cpu.isEmpty { members.append(("cpu", array(cpu.map(quoted)))) }
    members += [("integrity", quoted(integrity)), ("isOptional", "\(isOptional)")]
    if !libc.isEmpty { members.append(("libc", array(libc.map(quoted)))) }
    members.append(("name", quoted(name)))
    if let node { members.append(("node", quoted(node))) }
    if !os.isEmpty { members.append(("os", array(os.map(quoted)))) }
    members.append(("path", quoted(path)))
    if !scripts.isEmpty { members.append(("scripts", array(scripts.map(quoted)))) }
    return members + [
      ("tarball", tarball.json), ("version", quoted(version)),
    ]
  }
}

private func object(of texts: [String: String]) -> String {
  object(texts.sorted { $0.key < $1.key }.map { ($0.key, quoted($0.value)) })
}

extension LockReader {
  func project(_ node: JSONNode) -> Lock.NPMProject {
    only(
      node,
      ["commands", "isNative", "name", "package", "packages", "places", "range", "version"])
    let project = Lock.NPMProject(
      name: name(node, "name"), package: name(node, "package"), version: name(node, "version"),
      range: node["range"]?.string ?? "", isNative: bool(node, "isNative"),
      commands: paths(node, "commands"), places: paths(node, "places"),
      packages: elements(node, "packages", sortedBy: ["path"], npmPackage))
    for place in project.places.keys { check(place, node) }
    if project.name.contains("/") || project.name.hasPrefix(".") {
      fault(node, "'\(project.name)' is not the name of a folder")
    }
    return project
  }

  private func npmPackage(_ node: JSONNode) -> Lock.NPMPackage {
    only(
      node,
      [
        "bin", "cpu", "integrity", "isOptional", "libc", "name", "node", "os", "path", "scripts",
        "tarball", "version",
      ])
    let package = Lock.NPMPackage(
      path: name(node, "path"), name: name(node, "name"), version: name(node, "version"),
      tarball: blob(node, "tarball"), integrity: name(node, "integrity"),
      isOptional: bool(node, "isOptional"), os: optionalTexts(node, "os"),
      cpu: optionalTexts(node, "cpu"), libc: optionalTexts(node, "libc"),
      node: node["node"] == nil ? nil : name(node, "node"),
      bin: node["bin"] == nil ? [:] : paths(node, "bin"), scripts: optionalTexts(node, "scripts"))
    check(package.path, node)
    if !package.integrity.hasPrefix("sha512-") {
      fault(node, "'integrity' must be npm's form of a SHA-512")
    }
    return package
  }

  private func optionalTexts(_ node: JSONNode, _ key: String) -> [String] {
    node[key] == nil ? [] : list(node, key).compactMap(\.string)
  }

  /// Name → relative path without `..`; names have no `/`.
  private func paths(_ node: JSONNode, _ key: String) -> [String: String] {
    let paths = texts(node, key)
    for path in paths.values.sorted() { check(path, node) }
    for name in paths.keys.sorted() where key != "places" {
      if name.isEmpty || name.contains("/") || name.hasPrefix(".") {
        fault(node, "'\(name)' is not the name of a command")
      }
    }
    return paths
  }

  private func check(_ path: String, _ node: JSONNode) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    if parts.contains(where: { $0.isEmpty || $0 == ".." || $0 == "." }) {
      fault(node, "'\(path)' must be a relative path without '..'")
    }
  }

  private func bool(_ node: JSONNode, _ key: String) -> Bool {
    guard case .bool(let value)? = node[key]?.value else {
      fault(node[key] ?? node, "'\(key)' must be true or false")
      return false
    }
    return value
  }
}
