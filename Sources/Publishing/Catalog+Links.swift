internal import FoundationEssentials
internal import Model
public import SystemPackage

extension Catalog {
  /// Paths elsewhere that shall always be a link to the current image file, for programs that open a
  /// fixed path.
  ///
  /// The list is kept in the catalog: every later publish and rollback moves the links too.
  ///
  /// - Parameter paths: absolute; their folders must exist. What they name is replaced.
  public func follow(_ image: String, with paths: [FilePath]) throws {
    try change(image) {
      try replaceFile(
        folder(of: image).appending("links.json"), try json(paths.map(\.string).sorted()))
      try moveLinks(image)
    }
  }

  /// The links that follow the current release, besides `latest`.
  public func followers(_ image: String) throws(CatalogFailure) -> [FilePath] {
    let path = folder(of: image).appending("links.json")
    guard let bytes = try read(path) else { return [] }
    return try decode([String].self, bytes, from: path).map { FilePath($0) }
  }

  /// The links that point elsewhere than to the current release, with where they should point.
  func laggingLinks(_ image: String) throws(CatalogFailure) -> [(link: FilePath, target: String)] {
    guard let pointer = try pointer(image) else { return [] }
    let latest = folder(of: image).appending("latest")
    let base = store.isAbsolute ? "" : FileManager.default.currentDirectoryPath + "/"
    let disk = base + folder(of: image).appending(pointer.disk.path).string
    var links = [(link: latest, target: pointer.version.description)]
    for link in try followers(image) { links.append((link: link, target: disk)) }
    return links.filter { target(of: $0.link) != $0.target }
  }

  /// Points every link to the current release.
  func moveLinks(_ image: String) throws(CatalogFailure) {
    for (link, target) in try laggingLinks(image) { try replaceLink(link, target: target) }
  }
}
