internal import Model
internal import SystemPackage

/// In which transaction each package of a solution is installed.
///
/// Each file of the recipe makes one, in the order in which files extend each other: what its
/// `install` needs and no earlier one has brought. So what seldom changes lies below, and what changes
/// often, such as a browser, takes along only what comes after it. Essential packages are in the first.
struct PackageStages: Sendable {
  /// What each transaction is called: the name of its file; empty when there is only one.
  let names: [String]
  private let positions: [String: Int]

  /// - Parameters:
  ///   - packages: the paragraphs of all chosen packages.
  ///   - essential: names of those that are essential or needed by these.
  ///   - requests: what the recipe asks for, with the files that ask for it.
  init(_ packages: [ControlParagraph], essential: [String], _ requests: [Located<String>]) {
    let needs = Needs(packages)
    var positions = Dictionary(uniqueKeysWithValues: essential.map { ($0, 0) })
    var names: [String] = []
    let files = requests.map(\.position.file).uniqued
    for file in files {
      let requested = requests.filter { $0.position.file == file }
        .flatMap { needs.providers(of: PackageRequest($0.value).name) }
      let roots = names.isEmpty ? essential + ["apt"] + requested : requested
      let added = needs.closure(of: roots).filter { positions[$0] == nil }
      if added.isEmpty { continue }
      for name in added { positions[name] = names.count }
      names.append(unused(FilePath(file).stem ?? "packages", in: names))
    }
    self.positions = positions
    self.names = names.count > 1 ? names : []
  }

  /// The transaction of a package; what nothing seems to need is in the last.
  func position(of package: String) -> Int {
    positions[package] ?? max(0, names.count - 1)
  }
}

private func unused(_ name: String, in names: [String]) -> String {
  guard names.contains(name) else { return name }
  return (2...).lazy.map { "\(name)-\($0)" }.first { !names.contains($0) } ?? name
}

/// What the packages of a solution need of each other.
private struct Needs {
  private var dependencies: [String: [String]] = [:]
  private var provided: [String: Set<String>] = [:]

  init(_ packages: [ControlParagraph]) {
    for package in packages {
      guard let name = package["Package"] else { continue }
      for virtual in [name] + Needs.names(in: package["Provides"]) {
        provided[virtual, default: []].insert(name)
      }
      dependencies[name] =
        Needs.names(in: package["Pre-Depends"]) + Needs.names(in: package["Depends"])
    }
  }

  /// The chosen packages that go by a name.
  func providers(of name: String) -> [String] { (provided[name] ?? []).sorted() }

  /// Packages with all that they need. Of alternatives all that were chosen count: which of them
  /// suffices is a matter of versions, and all of them always do.
  func closure(of roots: [String]) -> [String] {
    var found: Set<String> = []
    var open = roots
    while let name = open.popLast() {
      guard dependencies[name] != nil, found.insert(name).inserted else { continue }
      open += (dependencies[name] ?? []).flatMap(providers)
    }
    return found.sorted()
  }

  /// The names of all alternatives in a field such as `a (>= 2) | b:any, c`.
  private static func names(in field: String?) -> [String] {
    (field ?? "").split(whereSeparator: { ",|".contains($0) }).compactMap {
      $0.trimmed.split(whereSeparator: { " :(\n".contains($0) }).first.map(String.init)
    }
  }
}
