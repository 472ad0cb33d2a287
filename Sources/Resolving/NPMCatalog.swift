internal import Model

/// The versions of one package that a registry has, and its tags.
struct NPMCatalog: Sendable, Equatable {
  struct Release: Sendable, Equatable {
    var version: NPMVersion
    /// What it asks of Node; nil for any.
    var node: String?
    /// Name → version of what npm takes along where it can.
    var optional: [String: String]
  }

  var package: String
  /// From the lowest version on; prereleases only where they were asked for.
  var releases: [Release]
  var tags: [String: String]

  /// What a recipe asks for: a version, a tag, or the highest of a range, of which the tag `latest`
  /// goes first as with npm.
  func pick(_ range: String) -> Release? {
    let wanted = range.trimmed
    if let tag = tags[wanted.isEmpty ? "latest" : wanted] {
      return releases.first { $0.version.description == tag }
    }
    if let exact = NPMVersion(wanted) { return releases.first { $0.version == exact } }
    guard let range = NPMRange(wanted) else { return nil }
    let latest = tags["latest"].flatMap { NPMVersion($0) }
    return releases.first { $0.version == latest && range.contains($0.version) }
      ?? releases.last { range.contains($0.version) }
  }
}

extension NPMRegistry {
  /// Reads the versions of a package.
  ///
  /// - Parameter range: versions that must be among them even if they are prereleases.
  func catalog(of tool: Recipe.NPM.Tool) async throws -> NPMCatalog {
    var catalog = NPMCatalog(package: tool.package, releases: [], tags: [:])
    try await read(">=0.0.0", of: tool, into: &catalog)
    let wanted = tool.range.isEmpty ? "latest" : tool.range
    if catalog.pick(tool.range) == nil { try await read(wanted, of: tool, into: &catalog) }
    catalog.releases.sort { $0.version < $1.version }
    return catalog
  }

  private func read(
    _ range: String, of tool: Recipe.NPM.Tool, into catalog: inout NPMCatalog
  ) async throws {
    let result = try await npm([
      "view", "\(tool.package)@\(range)", "version", "engines", "optionalDependencies", "dist-tags",
    ])
    guard result.isSuccess else {
      guard let error = NPMError(result) else { throw result.failure(of: "npm") }
      if error.isTransient {
        throw ResolvingFailure.unreachable(name: "npm \(tool.package)", reason: error.summary)
      }
      if error.code == "E404" || error.code == "ETARGET" {
        // Where the package is there, only the range fits nothing: the caller says so.
        if error.summary.hasPrefix("No match found") { return }
        throw ResolvingFailure.faulty([
          Diagnostic(at: tool.position, "the registry has no package '\(tool.package)'")
        ])
      }
      throw ResolvingFailure.failed(
        program: "npm", status: "failed (\(error.code))", output: error.summary)
    }
    // Nothing at all is what npm prints for a package without versions of the range.
    guard !result.output.trimmed.isEmpty else { return }
    do {
      let node = try JSONNode.parse(result.output)
      for release in node.array ?? [node] { catalog.add(release) }
    } catch { throw result.failure(of: "npm") }
  }

  /// What a version says of the C library, which npm's own lock leaves out.
  func libc(of package: String, _ version: String) async throws -> [String] {
    let result = try await npm(["view", "\(package)@\(version)", "libc"])
    guard result.isSuccess else {
      guard let error = NPMError(result) else { throw result.failure(of: "npm") }
      throw error.isTransient
        ? ResolvingFailure.unreachable(name: "npm \(package)", reason: error.summary)
        : .failed(program: "npm", status: "failed (\(error.code))", output: error.summary)
    }
    guard !result.output.trimmed.isEmpty else { return [] }
    do { return try JSONNode.parse(result.output).texts } catch { throw result.failure(of: "npm") }
  }
}

extension NPMCatalog {
  fileprivate mutating func add(_ node: JSONNode) {
    guard let version = node["version"]?.string.flatMap({ NPMVersion($0) }) else { return }
    for (tag, name) in node["dist-tags"]?.pairs ?? [:] { tags[tag] = name }
    guard !releases.contains(where: { $0.version == version }) else { return }
    releases.append(
      Release(
        version: version, node: node["engines"]?["node"]?.string,
        optional: node["optionalDependencies"]?.pairs ?? [:]))
  }
}

extension JSONNode {
  /// The texts of a list; a text alone is a list of one.
  var texts: [String] { string.map { [$0] } ?? array?.compactMap(\.string) ?? [] }

  /// The members that are texts.
  var pairs: [String: String] {
    guard case .object(let members) = value else { return [:] }
    return members.compactMapValues(\.string)
  }
}
