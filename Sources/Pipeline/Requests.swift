public import Model
public import Publishing
public import SystemPackage

/// How long to wait for sources that do not answer as they should.
public struct Patience: Sendable {
  /// An answer of which nothing more comes for so long counts as broken.
  public var stallLimit: Duration
  /// How many times a source that fails is asked again.
  public var retries: Int

  public init(stallLimit: Duration = .seconds(30), retries: Int = 4) {
    self.stallLimit = stallLimit
    self.retries = retries
  }
}

/// What `build` shall do.
public struct BuildRequest: Sendable {
  public var source: RecipeSource
  public var store: FilePath
  /// Fail if the lock is missing or would change.
  public var isLocked: Bool
  /// Use only what the store holds.
  public var isOffline: Bool
  public var patience: Patience
  /// The version to publish, `YYYYMMDD.NNN`; nil: today's next.
  public var version: String?
  public var publishes: Bool
  /// Signs what is published; nil takes the key that the recipe names, if any.
  public var key: SigningKey?
  /// Where to copy the image as well.
  public var output: FilePath?
  /// Threads; nil: as many as there are processors.
  public var jobs: Int?
  /// Keep the root folder when the build fails.
  public var keepsRoot: Bool
  /// Take stages of earlier builds, and keep those of this one.
  public var usesCache: Bool
  /// How many bytes of stages stay after this build.
  public var cacheSize: Int
  /// Open a shell in the root when a step fails.
  public var opensShell: Bool
  /// Names of checks that shall not run.
  public var skippedChecks: Set<String> = []
  /// The program's own version, for the manifest.
  public var program: String

  public init(
    source: RecipeSource, store: FilePath, isLocked: Bool = false, isOffline: Bool = false,
    patience: Patience = Patience(), version: String? = nil, publishes: Bool = true,
    key: SigningKey? = nil, output: FilePath? = nil, jobs: Int? = nil,
    keepsRoot: Bool = false, opensShell: Bool = false, usesCache: Bool = true,
    cacheSize: Int = BuildRequest.defaultCacheSize, program: String
  ) {
    self.source = source
    self.store = store
    self.isLocked = isLocked
    self.isOffline = isOffline
    self.patience = patience
    self.version = version
    self.publishes = publishes
    self.key = key
    self.output = output
    self.jobs = jobs
    self.keepsRoot = keepsRoot
    self.opensShell = opensShell
    self.usesCache = usesCache
    self.cacheSize = cacheSize
    self.program = program
  }
}

extension BuildRequest {
  /// Some ten versions of what changes in a golden image.
  public static let defaultCacheSize = 16 << 30
}

/// What `build` made.
public struct BuildResult: Sendable {
  public enum Outcome: Sendable, Equatable {
    case published(version: String)
    /// This version has the same inputs: there is nothing to build.
    case unchanged(version: String)
    /// An image that is not in the catalog.
    case made
  }
  public var outcome: Outcome
  /// The image's name in the catalog.
  public var name: String
  /// The image.
  public var path: FilePath
  public var image: MadeImage
}

/// An image file's size and hash.
public struct MadeImage: Sendable, Equatable {
  /// In bytes.
  public var virtualSize: Int
  /// Bytes that take room on the disk; the rest are holes.
  public var allocatedSize: Int
  /// Of all `virtualSize` bytes.
  public var sha256: ContentHash
}

/// What `makeImage` wrote.
public struct WrittenImage: Sendable, Equatable {
  /// Bytes that take room on the disk; the rest are holes.
  public var allocatedSize: Int
  /// Of the whole; nil when it was not wanted.
  public var sha256: ContentHash?
}

/// What `lock` shall do.
public struct LockRequest: Sendable {
  public enum Update: Sendable, Equatable { case nothing, all, only([String]) }
  public var source: RecipeSource
  public var store: FilePath
  public var update: Update
  /// Fail if the lock is missing or would change.
  public var isLocked: Bool
  public var isOffline: Bool
  public var patience: Patience

  public init(
    source: RecipeSource, store: FilePath, update: Update = .nothing, isLocked: Bool = false,
    isOffline: Bool = false, patience: Patience = Patience()
  ) {
    self.source = source
    self.store = store
    self.update = update
    self.isLocked = isLocked
    self.isOffline = isOffline
    self.patience = patience
  }
}

/// What `lock` made.
public struct LockResult: Sendable {
  public var file: FilePath
  public var lock: Lock
  /// What differs from the old lock, a line each; empty when nothing does.
  public var changes: [String]
}

/// What `image` shall do.
public struct ImageRequest: Sendable {
  /// A folder or a tar file; nil: a tar on standard input.
  public var source: FilePath?
  public var image: FilePath
  /// An older image, to share blocks with where the file system can.
  public var base: FilePath?
  /// Virtual size in bytes.
  public var size: Int
  public var label: String
  /// Nil: derived from the label.
  public var uuid: String?
  /// Seconds since 1970; nil: the newest time in the tree.
  public var epoch: Int?
  public var inodes: Int?
  public var jobs: Int?
  /// Whether its SHA-256 is wanted.
  public var isHashed: Bool

  public init(
    source: FilePath?, image: FilePath, base: FilePath? = nil, size: Int, label: String = "",
    uuid: String? = nil, epoch: Int? = nil, inodes: Int? = nil, jobs: Int? = nil,
    isHashed: Bool = true
  ) {
    self.source = source
    self.image = image
    self.base = base
    self.size = size
    self.label = label
    self.uuid = uuid
    self.epoch = epoch
    self.inodes = inodes
    self.jobs = jobs
    self.isHashed = isHashed
  }
}
