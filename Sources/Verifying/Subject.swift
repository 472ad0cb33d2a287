public import Model
public import SystemPackage

/// What gives the content of an image's files.
public protocol ContentSource: Sendable {
  /// The first bytes of a file, at most `limit`.
  func bytes(of node: Int, limit: Int) throws -> [UInt8]
}

/// An image that is judged, and what is known of what it should be.
public struct Subject: Sendable {
  /// The image's file.
  public var disk: FilePath
  public var files: FileTable
  public var content: any ContentSource
  /// What one pass over all contents found.
  public var survey: Survey
  /// What the superblock says; nil where only a tree is judged.
  public var volume: Volume?
  /// The tree that the image was made of, and the time that no file of it may be younger than.
  public var meant: Tree?
  public var epoch: Int?
  /// The folder on the host from which the image was made, while it is there.
  public var root: FilePath?
  /// The machine that built the image.
  public var builder: BuildMachine
  /// Agents by name: the hash that their source has now.
  public var agentHashes: [String: ContentHash] = [:]
  /// Nil for an image of which nothing is known.
  public var recipe: Recipe?
  /// Findings that the recipe answers for.
  public var allowed: [Recipe.Allowance]

  public init(
    disk: FilePath, files: FileTable, content: any ContentSource, survey: Survey = Survey(),
    recipe: Recipe? = nil, builder: BuildMachine = BuildMachine()
  ) {
    self.disk = disk
    self.files = files
    self.content = content
    self.survey = survey
    self.recipe = recipe
    self.builder = builder
    allowed = recipe?.allowances ?? []
  }

  /// The whole content of a file as text; nil when there is no such file. Links are followed.
  public func text(_ path: String, limit: Int = 16 << 20) throws -> String? {
    guard let found = files.resolve(path), case .file = files.tree.nodes[found.node].kind
    else { return nil }
    return String(decoding: try content.bytes(of: found.node, limit: limit), as: UTF8.self)
  }

  /// A result without the findings that the recipe allows.
  func allowing(_ result: CheckResult) -> CheckResult {
    var result = result
    let rules = allowed.filter { $0.check == result.name }
    let kept = result.findings.filter { finding in
      !rules.contains { matches($0.path, finding.place) }
    }
    guard kept.count < result.findings.count else { return result }
    let count = result.findings.count - kept.count
    result.findings = kept
    result.remark = "\(count) allowed by the recipe"
    if kept.isEmpty { result.outcome = .passed }
    return result
  }
}

/// What a file system says of itself. Sizes are bytes.
public struct Volume: Sendable, Equatable {
  public var blockSize: Int
  /// Free for an ordinary user.
  public var free: Int
  public var freeInodes: Int
  public var groups: Int
  /// Groups whose inode tables a kernel would still fill with zeros.
  public var groupsToZero: Int
  public var inodeTableSize: Int
  public var mounts: Int
  public var needsRecovery: Bool

  public init(
    blockSize: Int, free: Int, freeInodes: Int, groups: Int, groupsToZero: Int,
    inodeTableSize: Int, mounts: Int, needsRecovery: Bool
  ) {
    self.blockSize = blockSize
    self.free = free
    self.freeInodes = freeInodes
    self.groups = groups
    self.groupsToZero = groupsToZero
    self.inodeTableSize = inodeTableSize
    self.mounts = mounts
    self.needsRecovery = needsRecovery
  }
}

/// Names of the machine that built an image, none of which belongs into it.
public struct BuildMachine: Sendable, Equatable {
  public var hostName: String?
  /// Absolute folders of the build.
  public var folders: [String]

  public init(hostName: String? = nil, folders: [String] = []) {
    self.hostName = hostName
    self.folders = folders
  }
}

/// Whether a path is one, or lies below one that ends with '/'; '*' stands for anything.
func matches(_ pattern: String, _ path: String) -> Bool {
  if pattern.hasSuffix("/") { return path.hasPrefix(pattern) }
  guard pattern.contains("*") else { return pattern == path }
  var rest = path[...]
  let parts = pattern.split(separator: "*", omittingEmptySubsequences: false)
  for (index, part) in parts.enumerated() {
    if index == 0 {
      guard rest.hasPrefix(part) else { return false }
      rest = rest.dropFirst(part.count)
    } else if index == parts.count - 1 {
      return rest.hasSuffix(part)
    } else if let range = rest.firstRange(of: part) {
      rest = rest[range.upperBound...]
    } else {
      return false
    }
  }
  return rest.isEmpty
}
