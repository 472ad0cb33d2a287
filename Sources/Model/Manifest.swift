/// What a release holds and what it was made from. Format: `docs/manifest.md`.
///
/// It depends on the recipe, the lock, the version and the previous release alone: no clock, host or
/// path of the build shows in it. Readers ignore members that they do not know.
public struct Manifest: Sendable, Equatable, Codable {
  public static let fileName = "manifest.json"
  public static let diskFileName = "rootfs.ext4"

  public var apiVersion = "golden.image/v1"
  public var kind = "ImageManifest"
  public var image: Image
  public var disk: Disk
  public var filesystem: FileSystem
  public var os: OperatingSystem
  public var boot: Boot
  /// Sorted by name, like the next two.
  public var agents: [Agent]
  public var units: [Unit]
  public var clis: [CLI]
  public var inputs: Inputs
  /// In the order in which they ran.
  public var checks: [Check]
  public var reproducibility: Reproducibility
  public var builder: Builder
  public var lineage: Lineage
  /// Other files of the release, sorted by file name.
  public var documents: [Document]
  public var attestations: [Attestation]?
  /// Nil when no key signed the release.
  public var signing: Signing?

  public init(
    image: Image, disk: Disk, filesystem: FileSystem, os: OperatingSystem, boot: Boot = .standard,
    agents: [Agent] = [], units: [Unit] = [], clis: [CLI] = [], inputs: Inputs,
    checks: [Check] = [], reproducibility: Reproducibility, builder: Builder,
    lineage: Lineage = Lineage(), documents: [Document] = [], attestations: [Attestation]? = nil,
    signing: Signing? = nil
  ) {
    self.image = image
    self.disk = disk
    self.filesystem = filesystem
    self.os = os
    self.boot = boot
    self.agents = agents
    self.units = units
    self.clis = clis
    self.inputs = inputs
    self.checks = checks
    self.reproducibility = reproducibility
    self.builder = builder
    self.lineage = lineage
    self.documents = documents
    self.attestations = attestations
    self.signing = signing
  }
}

extension Manifest {
  /// The image's identity.
  public struct Image: Sendable, Equatable, Codable {
    /// The catalog's name.
    public var name: String
    /// Nil until the catalog gives one; every published manifest has both.
    public var version: Version?
    /// Counts the versions of this image.
    public var sequence: Int?
    /// The machine's name: `x86_64` or `aarch64`.
    public var architecture: String
    /// The recipe's file name, without folders of the build machine.
    public var recipe: String?
    public var labels: [String: String]?

    public init(
      name: String, version: Version? = nil, sequence: Int? = nil, architecture: String,
      recipe: String? = nil, labels: [String: String]? = nil
    ) {
      self.name = name
      self.version = version
      self.sequence = sequence
      self.architecture = architecture
      self.recipe = recipe
      self.labels = labels
    }
  }

  /// The image file. Sizes are bytes.
  public struct Disk: Sendable, Equatable, Codable {
    public var file = Manifest.diskFileName
    public var mediaType = "application/vnd.golden.disk.v1.raw"
    public var format = "raw"
    public var partitionTable = "none"
    public var virtualSize: Int
    /// Bytes of blocks that hold data: what the file system in it uses, not what the host's gave it.
    public var allocatedSize: Int
    public var sha256: ContentHash
    public var chunks: Chunks?
    public var downloads: [Download]?

    public init(
      virtualSize: Int, allocatedSize: Int, sha256: ContentHash, chunks: Chunks? = nil,
      downloads: [Download]? = nil
    ) {
      self.virtualSize = virtualSize
      self.allocatedSize = allocatedSize
      self.sha256 = sha256
      self.chunks = chunks
      self.downloads = downloads
    }
  }

  /// The table of the disk's pieces.
  public struct Chunks: Sendable, Equatable, Codable {
    public var algorithm = "sha256"
    public var layout: String
    public var maxChunkSize: Int
    public var count: Int
    /// The sum of the pieces' lengths; the rest of the disk is zero.
    public var dataBytes: Int
    public var tableFile: String
    public var tableEntry = "u64le offset, u32le length, sha256"
    public var tableSize: Int
    public var tableSha256: ContentHash

    public init(
      layout: String, maxChunkSize: Int, count: Int, dataBytes: Int, tableFile: String,
      tableSize: Int, tableSha256: ContentHash
    ) {
      self.layout = layout
      self.maxChunkSize = maxChunkSize
      self.count = count
      self.dataBytes = dataBytes
      self.tableFile = tableFile
      self.tableSize = tableSize
      self.tableSha256 = tableSha256
    }
  }

  /// A compressed form of the disk.
  public struct Download: Sendable, Equatable, Codable {
    public var file: String
    public var mediaType = "application/zstd"
    public var compression = "zstd"
    public var size: Int
    public var sha256: ContentHash

    public init(file: String, size: Int, sha256: ContentHash) {
      self.file = file
      self.size = size
      self.sha256 = sha256
    }
  }

  /// The file system in the disk.
  public struct FileSystem: Sendable, Equatable, Codable {
    public var type = "ext4"
    public var uuid: String
    public var label: String?
    /// In bytes.
    public var blockSize: Int
    public var blockCount: Int
    public var freeBlocks: Int?
    /// In bytes.
    public var inodeSize: Int?
    public var inodeCount: Int?
    public var freeInodes: Int?
    public var hashSeed: String?
    public var journalBlocks: Int?
    /// e2fsprogs' names, sorted.
    public var features: [String]
    public var minKernel: String?

    public init(
      uuid: String, label: String? = nil, blockSize: Int = 4096, blockCount: Int,
      freeBlocks: Int? = nil, inodeSize: Int? = nil, inodeCount: Int? = nil,
      freeInodes: Int? = nil, hashSeed: String? = nil, journalBlocks: Int? = nil,
      features: [String], minKernel: String? = nil
    ) {
      self.uuid = uuid
      self.label = label
      self.blockSize = blockSize
      self.blockCount = blockCount
      self.freeBlocks = freeBlocks
      self.inodeSize = inodeSize
      self.inodeCount = inodeCount
      self.freeInodes = freeInodes
      self.hashSeed = hashSeed
      self.journalBlocks = journalBlocks
      self.features = features
      self.minKernel = minKernel
    }
  }

  /// The distribution, as its `/etc/os-release` and dpkg name it.
  public struct OperatingSystem: Sendable, Equatable, Codable {
    public var id: String
    public var versionId: String
    public var codename: String?
    public var debArch: String?

    public init(id: String, versionId: String, codename: String? = nil, debArch: String? = nil) {
      self.id = id
      self.versionId = versionId
      self.codename = codename
      self.debArch = debArch
    }
  }
}
