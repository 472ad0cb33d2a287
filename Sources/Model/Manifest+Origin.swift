extension Manifest {
  /// Everything the image was made from.
  public struct Inputs: Sendable, Equatable, Codable {
    /// One hash over all that decides the image's bytes: equal inputs have equal ids.
    public var buildId: ContentHash
    public var recipe: Source
    public var lock: Source
    /// Sorted by suite.
    public var repositories: [Repository]
    public var layers: [Layer]?
    /// Packages by type, for those who only want to count.
    public var packageCount: [String: Int]
    /// Sorted by type, name, architecture.
    public var packages: [Package]

    /// Sorts the packages and counts them.
    public init(
      buildId: ContentHash, recipe: Source, lock: Source, repositories: [Repository] = [],
      layers: [Layer]? = nil, packages: [Package] = []
    ) {
      self.buildId = buildId
      self.recipe = recipe
      self.lock = lock
      self.repositories = repositories
      self.layers = layers
      self.packages = packages.sorted {
        ($0.type.rawValue, $0.name, $0.arch ?? "") < ($1.type.rawValue, $1.name, $1.arch ?? "")
      }
      packageCount = Dictionary(grouping: packages, by: \.type.rawValue).mapValues(\.count)
    }
  }

  public struct Source: Sendable, Equatable, Codable {
    /// A file name without folders.
    public var file: String?
    public var sha256: ContentHash

    public init(file: String? = nil, sha256: ContentHash) {
      self.file = file
      self.sha256 = sha256
    }
  }

  /// A signed index of packages. Its address is the recipe's or the host's affair.
  public struct Repository: Sendable, Equatable, Codable {
    public var type: String
    public var suite: String
    /// The Release file's Date.
    public var date: Timestamp?
    public var inReleaseSha256: ContentHash
    /// Fingerprints, sorted.
    public var signedBy: [String]

    public init(
      type: String = "apt", suite: String, date: Timestamp? = nil, inReleaseSha256: ContentHash,
      signedBy: [String]
    ) {
      self.type = type
      self.suite = suite
      self.date = date
      self.inReleaseSha256 = inReleaseSha256
      self.signedBy = signedBy
    }
  }

  /// A part of the tree that is made and reused as a whole.
  public struct Layer: Sendable, Equatable, Codable {
    public var name: String
    public var key: ContentHash
    public var files: Int?
    public var bytes: Int?

    public init(name: String, key: ContentHash, files: Int? = nil, bytes: Int? = nil) {
      self.name = name
      self.key = key
      self.files = files
      self.bytes = bytes
    }
  }

  /// One piece of software in the image.
  public struct Package: Sendable, Equatable, Codable {
    public enum Kind: String, Sendable, Codable, CaseIterable {
      case deb, npm, wheel, archive, file
    }

    public var type: Kind
    public var name: String
    public var version: String
    /// dpkg's architecture; debs have one.
    public var arch: String?
    /// The source package, where its name differs or is known.
    public var source: String?
    /// Of the file that was fetched.
    public var sha256: ContentHash
    /// npm's own form of a hash.
    public var integrity: String?
    /// Of the file that was fetched, in bytes.
    public var size: Int?
    /// The file's path relative to its source's base.
    public var path: String?
    public var layer: String?
    public var purl: String?
    /// SPDX licence expressions or names as the package gives them.
    public var licence: String?

    public init(
      type: Kind, name: String, version: String, arch: String? = nil, source: String? = nil,
      sha256: ContentHash, integrity: String? = nil, size: Int? = nil, path: String? = nil,
      layer: String? = nil, purl: String? = nil, licence: String? = nil
    ) {
      self.type = type
      self.name = name
      self.version = version
      self.arch = arch
      self.source = source
      self.sha256 = sha256
      self.integrity = integrity
      self.size = size
      self.path = path
      self.layer = layer
      self.purl = purl
      self.licence = licence
    }
  }

  /// What one check found.
  public struct Check: Sendable, Equatable, Codable {
    public enum Phase: String, Sendable, Codable { case rootfs, sandbox, image, vm }
    public enum Result: String, Sendable, Codable { case passed, warned, failed, skipped }

    public var id: String
    public var phase: Phase
    public var result: Result
    public var tool: String?
    public var summary: String?
    /// How long it took: with the summary the only facts of a manifest that differ between builds.
    public var seconds: Double?

    public init(
      id: String, phase: Phase, result: Result, tool: String? = nil, summary: String? = nil,
      seconds: Double? = nil
    ) {
      self.id = id
      self.phase = phase
      self.result = result
      self.tool = tool
      self.summary = summary
      self.seconds = seconds
    }
  }

  public struct Reproducibility: Sendable, Equatable, Codable {
    /// Seconds since 1970.
    public var sourceDateEpoch: Int
    public var rebuild: Rebuild?

    public init(sourceDateEpoch: Int, rebuild: Rebuild? = nil) {
      self.sourceDateEpoch = sourceDateEpoch
      self.rebuild = rebuild
    }
  }

  public struct Rebuild: Sendable, Equatable, Codable {
    public var builds: Int
    public var identical: Bool

    public init(builds: Int, identical: Bool) {
      self.builds = builds
      self.identical = identical
    }
  }

  /// The program that made the image; `components` are the libraries whose version can show in it.
  public struct Builder: Sendable, Equatable, Codable {
    public var name: String
    public var version: String
    public var revision: String?
    public var components: [String: String]?

    public init(
      name: String = "build-snapshot", version: String, revision: String? = nil,
      components: [String: String]? = nil
    ) {
      self.name = name
      self.version = version
      self.revision = revision
      self.components = components
    }
  }

  /// Where the release stands among the others; the catalog fills it in.
  public struct Lineage: Sendable, Equatable, Codable {
    /// The release that was current before; null in the JSON of an image's first one.
    public var previous: Ancestor?
    public var changes: Changes?

    public init(previous: Ancestor? = nil, changes: Changes? = nil) {
      self.previous = previous
      self.changes = changes
    }

    public func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(previous, forKey: .previous)
      try container.encodeIfPresent(changes, forKey: .changes)
    }

    private enum CodingKeys: String, CodingKey { case previous, changes }
  }

  public struct Ancestor: Sendable, Equatable, Codable {
    public var version: Version
    public var manifestSha256: ContentHash
    public var diskSha256: ContentHash

    public init(version: Version, manifestSha256: ContentHash, diskSha256: ContentHash) {
      self.version = version
      self.manifestSha256 = manifestSha256
      self.diskSha256 = diskSha256
    }
  }

  /// Packages against the previous release.
  public struct Changes: Sendable, Equatable, Codable {
    public var added: Int
    public var removed: Int
    public var changed: [Change]

    public init(added: Int, removed: Int, changed: [Change]) {
      self.added = added
      self.removed = removed
      self.changed = changed
    }
  }

  public struct Change: Sendable, Equatable, Codable {
    public var name: String
    public var from: String
    public var to: String

    public init(name: String, from: String, to: String) {
      self.name = name
      self.from = from
      self.to = to
    }
  }

  /// A file beside the image that the manifest vouches for.
  public struct Document: Sendable, Equatable, Codable {
    /// What it is for: `lock`, `packages`, `sbom`.
    public var role: String
    public var mediaType: String
    public var file: String
    public var size: Int
    public var sha256: ContentHash

    public init(role: String, mediaType: String, file: String, size: Int, sha256: ContentHash) {
      self.role = role
      self.mediaType = mediaType
      self.file = file
      self.size = size
      self.sha256 = sha256
    }
  }

  /// A signed statement about the release; it names the manifest's hash, so none stands here.
  public struct Attestation: Sendable, Equatable, Codable {
    public var role: String
    public var predicateType: String
    public var envelope = "application/vnd.dsse.envelope.v1+json"
    public var file: String

    public init(role: String, predicateType: String, file: String) {
      self.role = role
      self.predicateType = predicateType
      self.file = file
    }
  }

  public struct Signing: Sendable, Equatable, Codable {
    public var scheme = "minisign-ed25519"
    /// Sixteen upper-case hexadecimal digits, as minisign shows it.
    public var keyId: String
    public var file: String

    public init(keyId: String, file: String = "manifest.json.minisig") {
      self.keyId = keyId
      self.file = file
    }
  }
}
