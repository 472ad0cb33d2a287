internal import Model
internal import SystemPackage

/// Chooses the packages of an image: apt solves, this asks the questions and reads the answers.
struct PackageSolver: Sendable {
  private let recipe: Recipe
  private let sources: [IndexSource]
  private let apt: AptRoot
  private let catalog: PackageCatalog
  /// What stands for the needs of archives before apt; nil where there are none.
  private let needs: String?

  /// - Parameter needs: dependencies of archives, as control files write them.
  init(_ recipe: Recipe, needs: [String] = [], sources: [IndexSource], folder: FilePath) throws {
    self.recipe = recipe
    catalog = PackageCatalog(sources)
    self.needs = needs.isEmpty ? nil : Self.needsName
    // A package that nobody installs: apt solves for it as for any other.
    let stanza = Self.stanza(needing: needs)
    self.sources =
      needs.isEmpty
      ? sources
      : sources + [
        IndexSource(repository: "", index: PackageIndex(Array(stanza.utf8)), priority: 500)
      ]
    apt = try AptRoot(
      in: folder, sources: self.sources, architecture: recipe.base.architecture)
  }

  private static let needsName = "deb.deps"

  private static func stanza(needing needs: [String]) -> String {
    """
    Package: \(needsName)
    Version: 1
    Architecture: all
    Maintainer: Nobody <nobody@example.org>
    Depends: \(needs.joined(separator: ", "))
    Filename: \(needsName)
    Size: 1
    SHA256: \(ContentHash(of: []).hex)
    Description: what archives need


    """
  }

  /// Packages for the recipe, sorted by name.
  ///
  /// - Parameters:
  ///   - old: packages whose versions stay unless something forces them to move.
  ///   - moving: names among them whose newest versions are wanted.
  ///
  /// As mmdebstrap does for its variant `apt`: first what is essential, with what that needs; then
  /// apt and what the recipe names. The result depends on the request and the versions alone, not
  /// on what was chosen before: nothing stays that nothing needs.
  func solve(
    keeping old: [Lock.Package], moving: Set<String>
  ) async throws -> PackageSolution {
    try catalog.check(recipe)
    var pins = try await versions(keeping: old, moving: moving)
    for request in recipe.packages.install {
      if let version = PackageRequest(request.value).version {
        pins[PackageRequest(request.value).name] = version
      }
    }
    let essential = try await install(catalog.essentialNames, installed: [], pins: pins)
    var names = recipe.packages.install.map(\.value)
    if catalog.has("apt"), !isExcluded("apt") { names.insert("apt", at: 0) }
    let rest = try await install(
      names + (needs.map { [$0] } ?? []), installed: essential, pins: pins
    ).filter { $0.entry.name != Self.needsName }
    try checkSnaps(essential + rest)
    let all = essential.map { package($0, isEssential: true) } + rest.map { package($0) }
    let stages = PackageStages(
      (essential + rest).map { sources[$0.source].index.fields(of: $0.entry) },
      essential: essential.map(\.entry.name), recipe.packages.install)
    var packages = all.sorted {
      ($0.package.name, $0.package.architecture) < ($1.package.name, $1.package.architecture)
    }
    for index in packages.indices {
      packages[index].package.stage = stages.position(of: packages[index].package.name)
    }
    return PackageSolution(packages: packages, stages: stages.names)
  }

  /// What boots the image when it is judged: the distribution's kernel for clouds with its modules, and
  /// a static busybox; empty where the recipe does not boot, brings a kernel, or the distribution has
  /// none.
  func bootPackages(
    beside solution: [SolvedPackage], keeping old: [Lock.Package]
  ) async throws -> [SolvedPackage] {
    guard let boot = recipe.boot, boot.kernel == nil || boot.initrd == nil else { return [] }
    let architecture = recipe.base.architecture
    let kernels = ["linux-image-cloud-\(architecture)", "linux-image-kvm", "linux-image-virtual"]
    guard let kernel = kernels.first(where: catalog.has), catalog.has("busybox-static") else {
      return []
    }
    let stanzas = solution.compactMap { solved in
      find(solved.package).map { $0.0.index.stanza(of: $0.1) }
    }
    let pins = Dictionary(old.map { ($0.name, $0.version) }) { first, _ in first }
    return try await install([kernel, "busybox-static"], stanzas: stanzas, pins: pins)
      .map { package($0) }.filter { solved in
        let name = solved.package.name
        return name == "busybox-static" || name.hasPrefix("linux-image-")
          || name.hasPrefix("linux-modules-")
      }.sorted { $0.package.name < $1.package.name }
  }

  /// Versions to pin: as locked, but for what moves and what that forces.
  ///
  /// Locked packages count as installed, so apt upgrades those that are named and no others
  /// without need.
  private func versions(
    keeping old: [Lock.Package], moving: Set<String>
  ) async throws -> [String: String] {
    var versions: [String: String] = [:]
    var stanzas: [String] = []
    var present: Set<String> = []
    for package in old {
      guard let (source, entry) = find(package) else { continue }
      versions[package.name] = package.version
      stanzas.append(source.index.stanza(of: entry))
      present.formUnion([package.name] + entry.providedNames)
    }
    guard !stanzas.isEmpty else { return [:] }
    let wanted = recipe.packages.install.map(\.value).filter { value in
      let request = PackageRequest(value)
      if let version = request.version { return versions[request.name] != version }
      return !present.contains(request.name) || moving.contains(request.name)
    }
    let moved = moving.filter { versions[$0] != nil }.sorted()
    var request = (wanted + moved).uniqued
    if request.isEmpty, needs == nil { return versions }
    request += needs.map { [$0] } ?? []
    for choice in try await install(request, stanzas: stanzas, pins: [:])
    where choice.entry.name != Self.needsName {
      let fields = sources[choice.source].index.fields(of: choice.entry)
      versions[choice.entry.name] = fields["Version"]
    }
    return versions
  }

  /// Refuses stand-ins for snaps, whoever asked for them, unless the recipe wants snaps.
  private func checkSnaps(_ choices: [AptRoot.Choice]) throws(ResolvingFailure) {
    guard !recipe.packages.install.contains(where: { PackageRequest($0.value).name == "snapd" })
    else { return }
    var faults: [Diagnostic] = []
    for choice in choices {
      let fields = sources[choice.source].index.fields(of: choice.entry)
      guard PackageIndex.Entry.isSnapStub(fields) else { continue }
      let request = recipe.packages.install.first {
        PackageRequest($0.value).name == choice.entry.name
      }
      faults.append(
        PackageCatalog.snapFault(
          choice.entry.name, fields["Version"] ?? "", for: recipe,
          at: request?.position ?? recipe.base.position))
    }
    if !faults.isEmpty { throw .faulty(faults) }
  }

  private func find(_ package: Lock.Package) -> (IndexSource, PackageIndex.Entry)? {
    for (number, source) in sources.enumerated() where source.repository == package.repository {
      if let entry = apt.entry(at: package.deb.path, in: number) { return (source, entry) }
    }
    return nil
  }

  private func install(
    _ names: [String], installed: [AptRoot.Choice], pins: [String: String]
  ) async throws -> [AptRoot.Choice] {
    try await install(names, stanzas: installed.map(apt.stanza), pins: pins)
  }

  private func install(
    _ names: [String], stanzas: [String], pins: [String: String]
  ) async throws -> [AptRoot.Choice] {
    do {
      return try await apt.install(names, installed: stanzas, pins: pins, excluded: excluded)
    } catch let refusal as AptRefusal { throw refusal.explained(for: recipe) }
  }

  private func isExcluded(_ name: String) -> Bool {
    recipe.packages.exclude.contains { $0.value == name }
  }

  /// What the recipe excludes, and `usrmerge` where `usr-is-merged` does: images are merged from the
  /// start, and apt would take the tool that merges, with Perl.
  private var excluded: [String] {
    let own = recipe.packages.exclude.map(\.value)
    let isNamed = recipe.packages.install.contains { PackageRequest($0.value).name == "usrmerge" }
    let hasStandIn = catalog.has("usr-is-merged") && !isExcluded("usr-is-merged")
    return hasStandIn && !isNamed ? (own + ["usrmerge"]).uniqued : own
  }

  private func package(_ choice: AptRoot.Choice, isEssential: Bool = false) -> SolvedPackage {
    let source = sources[choice.source]
    let fields = source.index.fields(of: choice.entry)
    return SolvedPackage(
      package: Lock.Package(
        name: choice.entry.name, version: fields["Version"] ?? "",
        architecture: fields["Architecture"] ?? "", repository: source.repository,
        deb: choice.deb, isEssential: isEssential),
      source: choice.source)
  }
}

/// The packages of an image, and the names of the transactions that install them; none for only one.
struct PackageSolution: Sendable {
  var packages: [SolvedPackage]
  var stages: [String]
}

/// A package of a solution.
struct SolvedPackage: Sendable {
  var package: Lock.Package
  /// Position of the index that names it among the sources.
  var source: Int
}

/// `name` or `name=version`, as a recipe asks for a package.
struct PackageRequest: Sendable, Equatable {
  var name: String
  var version: String?

  init(_ text: String) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    name = String(parts.first ?? "")
    version = parts.count > 1 ? String(parts[1]) : nil
  }
}
