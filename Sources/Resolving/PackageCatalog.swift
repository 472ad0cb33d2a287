internal import Model

/// The names in all indices: what a recipe may ask for.
struct PackageCatalog: Sendable {
  private let sources: [IndexSource]
  private let names: Set<String>
  /// Sorted.
  let essentialNames: [String]

  init(_ sources: [IndexSource]) {
    self.sources = sources
    names = Set(sources.lazy.flatMap { $0.index.entries }.map(\.name))
    essentialNames = Set(
      sources.lazy.flatMap { $0.index.entries }.filter(\.isEssential).map(\.name)
    ).sorted()
  }

  func has(_ name: String) -> Bool { names.contains(name) }

  /// Finds what is wrong with the recipe's packages, before apt says it in other words.
  func check(_ recipe: Recipe) throws(ResolvingFailure) {
    let excluded = Set(recipe.packages.exclude.map(\.value))
    let faults = recipe.packages.install.compactMap { request -> Diagnostic? in
      let wanted = PackageRequest(request.value)
      if excluded.contains(wanted.name) {
        return Diagnostic(
          at: request.position, "'\(wanted.name)' is both in 'install' and in 'exclude'")
      }
      return fault(of: wanted, at: request.position)
        ?? snapFault(of: wanted, in: recipe, at: request.position)
    }
    guard faults.isEmpty else { throw .faulty(faults) }
  }

  private func fault(of wanted: PackageRequest, at position: SourcePosition) -> Diagnostic? {
    if has(wanted.name) {
      guard let version = wanted.version else { return nil }
      let versions = versions(of: wanted.name)
      return versions.contains(version)
        ? nil
        : Diagnostic(
          at: position, "there is no version '\(version)' of the package '\(wanted.name)'",
          hint: "there is \(versions.joined(separator: ", "))")
    }
    let providers = providers(of: wanted.name)
    if providers.count == 1, wanted.version == nil { return nil }
    if providers.isEmpty {
      return Diagnostic(
        at: position, "there is no package '\(wanted.name)' in \(places)",
        hint: suggestion(for: wanted.name, among: names))
    }
    return Diagnostic(
      at: position, "'\(wanted.name)' is not a package but provided by several",
      hint: "name one of \(providers.joined(separator: ", "))")
  }

  /// Before apt says that it finds no `snapd`, which is true and no help.
  private func snapFault(
    of wanted: PackageRequest, in recipe: Recipe, at position: SourcePosition
  ) -> Diagnostic? {
    guard !recipe.packages.install.contains(where: { PackageRequest($0.value).name == "snapd" })
    else { return nil }
    let stanzas = sources.flatMap { source in
      source.index.entries.lazy.filter { $0.name == wanted.name }.map {
        source.index.fields(of: $0)
      }
    }
    let candidates = stanzas.filter { wanted.version == nil || $0["Version"] == wanted.version }
    guard let first = candidates.first, candidates.allSatisfy(PackageIndex.Entry.isSnapStub)
    else { return nil }
    return Self.snapFault(wanted.name, first["Version"] ?? "", for: recipe, at: position)
  }

  private var places: String {
    sources.map { "'\($0.repository)'" }.uniqued.joined(separator: ", ")
  }

  private func versions(of name: String) -> [String] {
    sources.flatMap { source in
      source.index.entries.lazy.filter { $0.name == name }
        .compactMap { source.index.fields(of: $0)["Version"] }
    }.uniqued
  }

  private func providers(of name: String) -> [String] {
    let entries = sources.lazy.flatMap { $0.index.entries }
    return Set(entries.filter { $0.providedNames.contains(name) }.map(\.name)).sorted()
  }
}
