internal import FoundationEssentials
internal import Model
internal import SystemPackage

/// As much of what `swift package dump-package` prints as says what a product is compiled from.
struct PackageDescription: Decodable {
  struct Product: Decodable {
    var name: String
    var targets: [String]
  }

  struct Target: Decodable {
    var name: String
    var path: String?
    var dependencies: [Dependency]
    /// All that the manifest says of it: settings, resources, what is left out.
    var declaration: JSONText

    private enum CodingKeys: CodingKey { case name, path, dependencies }

    init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: CodingKeys.self)
      name = try values.decode(String.self, forKey: .name)
      path = try values.decodeIfPresent(String.self, forKey: .path)
      dependencies = try values.decode([Dependency].self, forKey: .dependencies)
      declaration = try JSONText(from: decoder)
    }
  }

  /// `{"byName": ["Terminal", null]}`, `{"target": …}`; those on products of other packages are pinned
  /// by Package.resolved.
  struct Dependency: Decodable {
    var byName: [String?]?
    var target: [String?]?
    var name: String? { (byName ?? target)?.first ?? nil }

    private enum CodingKeys: CodingKey { case byName, target }

    init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: CodingKeys.self)
      func name(_ key: CodingKeys) throws -> [String?]? {
        guard values.contains(key) else { return nil }
        // What follows the name is a condition, of another type.
        var elements = try values.nestedUnkeyedContainer(forKey: key)
        return [try elements.decode(String.self)]
      }
      byName = try name(.byName)
      target = try name(.target)
    }
  }

  struct Package: Decodable {
    struct Local: Decodable { var path: String }
    var fileSystem: [Local]?
  }

  var products: [Product]
  var targets: [Target]
  var dependencies: [Package]
  var toolsVersion: JSONText
  var swiftLanguageVersions: JSONText?
  var cLanguageStandard: JSONText?
  var cxxLanguageStandard: JSONText?

  init(_ text: [UInt8], of package: FilePath) throws(CompilingFailure) {
    do {
      self = try JSONDecoder().decode(PackageDescription.self, from: Data(text))
    } catch {
      throw .unreadablePackage(package, output: "'swift package dump-package' printed '\(error)'")
    }
  }

  /// What of the manifest bears on some targets: another target that comes or goes does not.
  func declaration(of targets: [Target]) -> String {
    ([toolsVersion, swiftLanguageVersions, cLanguageStandard, cxxLanguageStandard]
      .map { $0?.text ?? "null" } + targets.map(\.declaration.text)).joined(separator: "\n")
  }

  /// All targets that a product is compiled from, sorted by name.
  func targets(of name: String, in package: FilePath) throws(CompilingFailure) -> [Target] {
    guard let product = products.first(where: { $0.name == name }) else {
      throw .noProduct(
        name, package: package, hint: suggestion(for: name, among: products.map(\.name)))
    }
    if let local = dependencies.lazy.compactMap(\.fileSystem).first?.first {
      throw .localDependency(local.path, package: package)
    }
    var waiting = product.targets
    var found: [String: Target] = [:]
    while let name = waiting.popLast() {
      guard found[name] == nil, let target = targets.first(where: { $0.name == name }) else {
        continue  // done, or a product of another package under the same name
      }
      found[name] = target
      waiting += target.dependencies.compactMap(\.name)
    }
    return found.values.sorted { $0.name < $1.name }
  }
}

extension PackageDescription.Target {
  /// Where its source lies.
  func folder(in package: FilePath) -> FilePath {
    package.pushing(FilePath(path ?? "Sources/\(name)"))
  }
}
