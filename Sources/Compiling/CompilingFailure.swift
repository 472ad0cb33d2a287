public import SystemPackage

/// Why an agent could not be compiled from its source.
public enum CompilingFailure: Error, Sendable, Equatable, CustomStringConvertible {
  case noCompiler(product: String)
  case unreadablePackage(FilePath, output: String)
  /// The package does not make such a program.
  case noProduct(String, package: FilePath, hint: String?)
  /// A product is compiled from files that lie outside its package.
  case localDependency(String, package: FilePath)
  /// The program would differ from folder to folder.
  case namesFolder(product: String, folder: FilePath)
  case failed(product: String, output: String)

  public var description: String {
    switch self {
    case .noCompiler(let product):
      "compiling '\(product)': there is no 'swift' on PATH; install the Swift toolchain, 6.2 or later, "
        + "or give the agent a file as its source"
    case .unreadablePackage(let package, let output):
      "reading the package in '\(package)': \(output)"
    case .noProduct(let product, let package, let hint):
      "the package in '\(package)' has no executable product '\(product)'"
        + (hint.map { "; \($0)" } ?? "")
    case .localDependency(let name, let package):
      "the package in '\(package)' depends on the folder '\(name)', whose changes would not be noticed; "
        + "depend on a repository instead"
    case .namesFolder(let product, let folder):
      "compiling '\(product)': the program names the folder '\(folder)' in which it was compiled; "
        + "its source should say '#fileID' where it says '#filePath'"
    case .failed(let product, let output): "compiling '\(product)':\n\(output)"
    }
  }
}
