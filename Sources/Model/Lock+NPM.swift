extension Lock {
  /// A tool of `[npm]` with all that its `node_modules` holds on the target.
  public struct NPMProject: Sendable, Equatable, Codable {
    /// The folder's name: the package's without its scope.
    public var name: String
    /// The registry's name of the tool.
    public var package: String
    public var version: String
    /// What the recipe asked for; empty for the newest.
    public var range: String
    /// Whether it holds the platform package alone.
    public var isNative: Bool
    /// Command → path in the project's folder.
    public var commands: [String: String]
    /// What takes the place of a placeholder, as the package's install script would put it there: the
    /// placeholder's path → the program's path, both in the project's folder.
    public var places: [String: String]
    /// Sorted by path.
    public var packages: [NPMPackage]

    public init(
      name: String, package: String, version: String, range: String, isNative: Bool,
      commands: [String: String], places: [String: String] = [:], packages: [NPMPackage]
    ) {
      self.name = name
      self.package = package
      self.version = version
      self.range = range
      self.isNative = isNative
      self.commands = commands
      self.places = places
      self.packages = packages
    }
  }

  /// One package of a project. All of them are needed: also what npm calls optional.
  public struct NPMPackage: Sendable, Equatable, Codable {
    /// In the project's folder: `node_modules/a/node_modules/b`.
    public var path: String
    /// The registry's name, which an alias in `path` may hide.
    public var name: String
    public var version: String
    /// The tarball; its path counts from the registry's address.
    public var tarball: Blob
    /// npm's own form of a hash: `sha512-` and base64.
    public var integrity: String
    /// Whether npm would go on without it.
    public var isOptional: Bool
    /// Platforms that it is for, as npm writes them; empty for all.
    public var os: [String]
    public var cpu: [String]
    public var libc: [String]
    /// The range of Node's versions that it asks for.
    public var node: String?
    /// Command → path in the package's folder.
    public var bin: [String: String]
    /// The lines of shell that npm would run once it is unpacked, in their order; only of packages that
    /// the recipe names in `scripts`.
    public var scripts: [String]

    public init(
      path: String, name: String, version: String, tarball: Blob, integrity: String,
      isOptional: Bool = false, os: [String] = [], cpu: [String] = [], libc: [String] = [],
      node: String? = nil, bin: [String: String] = [:], scripts: [String] = []
    ) {
      self.path = path
      self.name = name
      self.version = version
      self.tarball = tarball
      self.integrity = integrity
      self.isOptional = isOptional
      self.os = os
      self.cpu = cpu
      self.libc = libc
      self.node = node
      self.bin = bin
      self.scripts = scripts
    }
  }
}
