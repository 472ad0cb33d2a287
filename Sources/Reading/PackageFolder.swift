#if canImport(Glibc)
  internal import Glibc
#endif

/// The SwiftPM package that a recipe's products belong to: the nearest folder above the recipe's file
/// that holds a Package.swift, else the nearest above this program, which a package may have built.
///
/// - Returns: the folder's real path; nil when there is no such folder.
func packageFolder(for recipe: String) -> String? {
  let folder = localPath(".", from: recipe)
  return package(above: folder) ?? package(above: "/proc/self/exe")
}

private func package(above path: String) -> String? {
  guard var folder = realPath(path) else { return nil }
  while !folder.isEmpty {
    // The manifest may be a link: then the package is where it leads.
    if let manifest = realPath(folder + "/Package.swift") {
      return String(manifest.dropLast("/Package.swift".count))
    }
    folder = String(folder[..<(folder.lastIndex(of: "/") ?? folder.startIndex)])
  }
  return nil
}

private func realPath(_ path: String) -> String? {
  guard let found = realpath(path, nil) else { return nil }
  defer { free(found) }
  return String(cString: found)
}
