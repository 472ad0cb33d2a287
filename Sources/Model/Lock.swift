/// Every input of an image that comes from elsewhere: exact versions, sizes, hashes and places.
///
/// No host name stands in it: paths count from the base address of the input's source, which the
/// recipe or the host's apt sources give. Format: `docs/lock.md`.
public struct Lock: Sendable, Equatable, Codable {
  /// The number of the format.
  public static let currentSchema = 1

  public var schema: Int
  /// `Recipe.digest` of the recipe that this lock answers.
  public var recipe: ContentHash
  /// `SOURCE_DATE_EPOCH` of the build, seconds since 1970: the newest date of a Release file.
  public var epoch: Int
  /// Environment variables that the recipe reads.
  public var environment: [String: String]
  /// Sorted by `id`.
  public var repositories: [Repository]
  /// Sorted by name, then architecture.
  public var packages: [Package]
  /// The names of the transactions in which packages are installed, in their order; empty for one.
  public var stages: [String]
  /// Sorted by name.
  public var archives: [Archive]
  /// Sorted by name.
  public var wheels: [Wheel]
  /// Sorted by name.
  public var npm: [NPMProject]
  /// A kernel and what goes with it, to boot the image with when it is judged; never part of it.
  /// Sorted like `packages`.
  public var boot: [Package]

  public init(
    schema: Int = Lock.currentSchema, recipe: ContentHash, epoch: Int,
    environment: [String: String] = [:], repositories: [Repository] = [],
    packages: [Package] = [], stages: [String] = [], archives: [Archive] = [], wheels: [Wheel] = [],
    npm: [NPMProject] = [], boot: [Package] = []
  ) {
    self.schema = schema
    self.recipe = recipe
    self.epoch = epoch
    self.environment = environment
    self.repositories = repositories
    self.packages = packages
    self.stages = stages
    self.archives = archives
    self.wheels = wheels
    self.npm = npm
    self.boot = boot
  }
}

extension Lock {
  /// One signed Release file and the indices that were used of it.
  public struct Repository: Sendable, Equatable, Codable {
    /// The suite's name, such as `bookworm-security`; unique in a lock.
    public var id: String
    /// The Release file's Date, seconds since 1970.
    public var date: Int
    /// Its Valid-Until, seconds since 1970.
    public var validUntil: Int?
    /// SHA-256 of InRelease as it came.
    public var inRelease: ContentHash
    /// Fingerprints of the keys that signed, upper-case hexadecimal, sorted.
    public var signedBy: [String]
    /// apt's priority of its packages: 500, less for pockets that ask for it, such as backports.
    public var priority: Int
    /// The Packages indices that were read, sorted by path.
    public var indices: [Blob]
    /// Indices of earlier Release files, sorted by path: some packages were kept at versions that
    /// only these still name.
    public var earlier: [Blob]

    public init(
      id: String, date: Int, validUntil: Int?, inRelease: ContentHash, signedBy: [String],
      priority: Int = 500, indices: [Blob], earlier: [Blob] = []
    ) {
      self.id = id
      self.date = date
      self.validUntil = validUntil
      self.inRelease = inRelease
      self.signedBy = signedBy
      self.priority = priority
      self.indices = indices
      self.earlier = earlier
    }
  }

  /// A file with its size in bytes, its hash, and its path relative to its source's base.
  public struct Blob: Sendable, Hashable, Codable {
    public var path: String
    public var size: Int
    public var sha256: ContentHash

    public init(path: String, size: Int, sha256: ContentHash) {
      self.path = path
      self.size = size
      self.sha256 = sha256
    }
  }

  /// One Debian package.
  public struct Package: Sendable, Equatable, Codable {
    public var name: String
    public var version: String
    public var architecture: String
    /// `Repository.id` of where it comes from.
    public var repository: String
    public var deb: Blob
    /// Essential or needed by an essential package: configured before all others.
    public var isEssential: Bool
    /// Its transaction's position in `stages`.
    public var stage: Int

    public init(
      name: String, version: String, architecture: String, repository: String, deb: Blob,
      isEssential: Bool, stage: Int = 0
    ) {
      self.name = name
      self.version = version
      self.architecture = architecture
      self.repository = repository
      self.deb = deb
      self.isEssential = isEssential
      self.stage = stage
    }
  }

  /// An `[[archive]]`; its path is the last part of its address.
  public struct Archive: Sendable, Equatable, Codable {
    public var name: String
    public var file: Blob
    /// The packages that it asks for, as control files write dependencies, sorted.
    public var depends: [String]

    public init(name: String, file: Blob, depends: [String] = []) {
      self.name = name
      self.file = file
      self.depends = depends
    }
  }

  /// A `[[wheel]]`; its path is the wheel's file name.
  public struct Wheel: Sendable, Equatable, Codable {
    public var name: String
    public var version: String
    public var file: Blob

    public init(name: String, version: String, file: Blob) {
      self.name = name
      self.version = version
      self.file = file
    }
  }
}

extension Lock {
  /// The files that a build needs of it.
  public var files: [Blob] {
    (packages + boot).map(\.deb) + archives.map(\.file) + wheels.map(\.file)
      + npm.flatMap(\.packages).map(\.tarball)
  }
}
