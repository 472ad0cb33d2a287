public import Model

extension Lock {
  /// Reads a lock's text and checks it.
  ///
  /// - Parameter file: what messages call it.
  /// - Throws: `ResolvingFailure.faulty` with every fault and its line.
  public init(parsing text: String, file: String) throws(ResolvingFailure) {
    let root: JSONNode
    do { root = try JSONNode.parse(text) } catch {
      throw .faulty([
        Diagnostic(
          at: SourcePosition(file: file, line: error.line, column: error.column), error.message,
          hint: "a lock is made by 'build-snapshot lock'")
      ])
    }
    let reader = LockReader(file: file)
    let schema = reader.integer(root, "schema")
    if reader.faults.isEmpty, schema != Self.currentSchema {
      reader.fault(
        root["schema"] ?? root,
        "this lock has schema \(schema), this program knows \(Self.currentSchema)",
        hint: "make it again with 'build-snapshot lock'")
    }
    guard reader.faults.isEmpty else { throw .faulty(reader.faults) }
    self.init(
      schema: schema, recipe: reader.hash(root, "recipe"), epoch: reader.integer(root, "epoch"),
      environment: reader.texts(root, "environment"),
      repositories: reader.elements(root, "repositories", sortedBy: ["id"], reader.repository),
      packages: reader.elements(
        root, "packages", sortedBy: ["name", "architecture"], reader.package),
      stages: root["stages"] == nil ? [] : reader.list(root, "stages").compactMap(\.string),
      archives: reader.elements(root, "archives", sortedBy: ["name"], reader.archive),
      wheels: reader.elements(root, "wheels", sortedBy: ["name"], reader.wheel),
      npm: root["npm"] == nil
        ? [] : reader.elements(root, "npm", sortedBy: ["name"], reader.project),
      boot: root["boot"] == nil
        ? [] : reader.elements(root, "boot", sortedBy: ["name", "architecture"], reader.package))
    reader.only(
      root,
      [
        "schema", "recipe", "epoch", "environment", "repositories", "packages", "archives",
        "wheels", "npm", "stages", "boot",
      ])
    let ids = Set(repositories.map(\.id))
    for (package, node) in zip(packages, root["packages"]?.array ?? [])
    where !ids.contains(package.repository) {
      reader.fault(node, "'\(package.repository)' is not among the lock's repositories")
    }
    for (package, node) in zip(packages, root["packages"]?.array ?? [])
    where package.stage >= max(1, stages.count) || (package.isEssential && package.stage > 0) {
      reader.fault(node, "'\(package.name)' cannot be in stage \(package.stage)")
    }
    guard reader.faults.isEmpty else { throw .faulty(reader.faults) }
  }
}

/// Takes values out of a lock's JSON and collects what is wrong; what it returns after a fault is
/// never used.
final class LockReader {
  let file: String
  private(set) var faults: [Diagnostic] = []

  init(file: String) { self.file = file }

  func fault(_ node: JSONNode, _ message: String, hint: String? = nil) {
    faults.append(
      Diagnostic(
        at: SourcePosition(file: file, line: node.line, column: 1), message, hint: hint))
  }

  func repository(_ node: JSONNode) -> Lock.Repository {
    only(
      node,
      [
        "id", "date", "validUntil", "inRelease", "signedBy", "priority", "indices", "earlier",
      ])
    return Lock.Repository(
      id: name(node, "id"), date: integer(node, "date"),
      validUntil: node["validUntil"].map { _ in integer(node, "validUntil") },
      inRelease: hash(node, "inRelease"),
      signedBy: list(node, "signedBy").compactMap(\.string),
      priority: integer(node, "priority"),
      indices: elements(node, "indices", sortedBy: ["path"], blob),
      earlier: elements(node, "earlier", sortedBy: ["path"], blob))
  }

  func package(_ node: JSONNode) -> Lock.Package {
    only(
      node, ["name", "version", "architecture", "repository", "deb", "isEssential", "stage"])
    let isEssential: Bool
    if case .bool(let value)? = node["isEssential"]?.value {
      isEssential = value
    } else {
      fault(node, "'isEssential' must be true or false")
      isEssential = false
    }
    return Lock.Package(
      name: packageName(node), version: name(node, "version"),
      architecture: name(node, "architecture"), repository: name(node, "repository"),
      deb: blob(node, "deb"), isEssential: isEssential,
      stage: node["stage"] == nil ? 0 : integer(node, "stage"))
  }

  func archive(_ node: JSONNode) -> Lock.Archive {
    only(node, ["name", "file", "depends"])
    return Lock.Archive(
      name: name(node, "name"), file: blob(node, "file"),
      depends: node["depends"].map { _ in list(node, "depends").compactMap(\.string) } ?? [])
  }

  func wheel(_ node: JSONNode) -> Lock.Wheel {
    only(node, ["name", "version", "file"])
    return Lock.Wheel(
      name: name(node, "name"), version: name(node, "version"), file: blob(node, "file"))
  }

  func blob(_ node: JSONNode, _ key: String) -> Lock.Blob {
    guard let member = node[key] else {
      fault(node, "'\(key)' is missing")
      return Lock.Blob(path: "", size: 0, sha256: .zero)
    }
    return blob(member)
  }

  func blob(_ node: JSONNode) -> Lock.Blob {
    only(node, ["path", "size", "sha256"])
    let path = name(node, "path")
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    if !path.isEmpty, parts.contains(where: { $0.isEmpty || $0 == ".." || $0 == "." }) {
      fault(node, "'\(path)' must be a relative path without '..'")
    }
    return Lock.Blob(path: path, size: integer(node, "size"), sha256: hash(node, "sha256"))
  }

  func elements<Element>(
    _ node: JSONNode, _ key: String, sortedBy keys: [String], _ read: (JSONNode) -> Element
  ) -> [Element] {
    let nodes = list(node, key)
    for (before, after) in zip(nodes, nodes.dropFirst()) {
      let pair = [before, after].map { node in keys.map { node[$0]?.string ?? "" } }
      if !pair[0].lexicographicallyPrecedes(pair[1]) {
        let name = pair[1].joined(separator: " ")
        fault(after, "'\(name)' stands twice or out of order in '\(key)'; \(keys[0])s are sorted")
      }
    }
    return nodes.map(read)
  }

  func list(_ node: JSONNode, _ key: String) -> [JSONNode] {
    guard let elements = node[key]?.array else {
      fault(node[key] ?? node, "'\(key)' must be a list")
      return []
    }
    return elements
  }

  func texts(_ node: JSONNode, _ key: String) -> [String: String] {
    guard case .object(let members)? = node[key]?.value else {
      fault(node[key] ?? node, "'\(key)' must be an object")
      return [:]
    }
    return members.keys.sorted().reduce(into: [:]) { texts, name in
      if let text = members[name]?.string {
        texts[name] = text
      } else {
        fault(members[name] ?? node, "'\(name)' must be a text")
      }
    }
  }

  /// A name that can be part of a file's name, as dpkg makes it one.
  func packageName(_ node: JSONNode) -> String {
    let name = name(node, "name")
    let isGood = name.utf8.allSatisfy {
      "abcdefghijklmnopqrstuvwxyz0123456789+-.".utf8.contains($0)
    }
    if !isGood || name.hasPrefix(".") { fault(node, "'\(name)' is not a package's name") }
    return name
  }

  /// A text that is not empty and has no control characters.
  func name(_ node: JSONNode, _ key: String) -> String {
    guard let text = node[key]?.string, !text.isEmpty,
      !text.unicodeScalars.contains(where: { $0.value < 32 })
    else {
      fault(node[key] ?? node, "'\(key)' must be a text")
      return ""
    }
    return text
  }

  /// A whole number that is not negative.
  func integer(_ node: JSONNode, _ key: String) -> Int {
    guard let number = node[key]?.integer, number >= 0 else {
      fault(node[key] ?? node, "'\(key)' must be a whole number")
      return 0
    }
    return number
  }

  func hash(_ node: JSONNode, _ key: String) -> ContentHash {
    guard let hash = node[key]?.string.flatMap({ ContentHash(hex: $0) }) else {
      fault(node[key] ?? node, "'\(key)' must be a SHA-256 in hexadecimal")
      return .zero
    }
    return hash
  }

  /// Complains about keys that the format does not have.
  func only(_ node: JSONNode, _ keys: Set<String>) {
    guard case .object(let members) = node.value else {
      fault(node, "expected an object")
      return
    }
    for key in members.keys.sorted() where !keys.contains(key) {
      fault(members[key] ?? node, "unknown key '\(key)'")
    }
  }
}

extension ContentHash {
  /// Stands in for what could not be read.
  fileprivate static let zero = ContentHash(bytes: Array(repeating: 0, count: 32))
}
