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

  init(_ text: [UInt8], of package: FilePath) throws(CompilingFailure) {
    do {
      self = try JSONDecoder().decode(PackageDescription.self, from: Data(text))
    } catch {
      throw .unreadablePackage(package, output: "'swift package dump-package' printed '\(error)'")
    }
  }

  /// The folders of all targets that a product is compiled from, sorted.
  func folders(of name: String, in package: FilePath) throws(CompilingFailure) -> [FilePath] {
    guard let product = products.first(where: { $0.name == name }) else {
      throw .noProduct(
        name, package: package, hint: suggestion(for: name, among: products.map(\.name)))
    }
    if let local = dependencies.lazy.compactMap(\.fileSystem).first?.first {
      throw .localDependency(local.path, package: package)
    }
    var waiting = product.targets
    var folders: [String: FilePath] = [:]
    while let name = waiting.popLast() {
      guard folders[name] == nil, let target = targets.first(where: { $0.name == name }) else {
        continue  // done, or a product of another package under the same name
      }
      folders[name] = package.appending("Sources").appending(name)
      if let path = target.path { folders[name] = package.pushing(FilePath(path)) }
      waiting += target.dependencies.compactMap(\.name)
    }
    return folders.values.sorted { $0.string < $1.string }
  }
}
