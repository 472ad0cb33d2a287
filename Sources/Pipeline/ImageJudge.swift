internal import Content
internal import Imaging
internal import Model
internal import Publishing
internal import SystemPackage
internal import Verifying

/// Reads an image back and has it judged: glue between `Imaging`, which reads, and `Verifying`.
struct ImageJudge: Sendable {
  var disk: FilePath
  var recipe: Recipe?
  var jobs: Int
  /// Names of checks to leave out.
  var skipping: Set<String> = []
  /// Where what tests and machines print is kept.
  var evidence: FilePath

  /// Runs the checks of the image itself, and the tests in its tree where there is a root folder.
  ///
  /// - Parameters:
  ///   - root: the folder that the image was made of; nil when there is none.
  ///   - meant: the tree that the image was made of.
  ///   - known: what an earlier build found out of the contents of its tree.
  func results(
    root: FilePath? = nil, meant: Tree? = nil, known: KnownContents? = nil, epoch: Int? = nil,
    agentHashes: [String: ContentHash] = [:], builder: BuildMachine = BuildMachine(),
    onResult: (CheckResult) -> Void = { _ in }
  ) throws -> Judgement {
    var read: (image: ImageContents, survey: Survey)?
    var files: FileList?
    var nowKnown: KnownContents?
    let rule = surveyRule(builder)
    let reading = try CheckResult.timed("read", .image) {
      let image = try readImage(at: disk)
      let collector = HitCollector(builder)
      let found = try survey(
        image, against: meant,
        known: known.flatMap { $0.rule == rule ? $0 : nil } ?? KnownContents(rule: rule),
        jobs: jobs, overlap: HitCollector.overlap, scan: { collector.scan($0, $1) })
      nowKnown = found.known
      read = (
        image,
        Survey(hits: collector.all, differing: found.differing, isCompared: meant != nil)
      )
      files = FileList(of: image.tree, contents: found.contents)
      return ([], "\(image.tree.entries.count) names")
    }
    onResult(reading)
    guard let (image, survey) = read else {
      // The system's own judge may know more of what is wrong.
      let subject = Subject(disk: disk, files: FileTable(.empty), content: NoContent())
      return Judgement(
        results: [reading] + (try run([imageChecks[0]], on: subject, onResult: onResult)))
    }
    var subject = Subject(
      disk: disk, files: FileTable(image.tree), content: ReadContents(image: image), survey: survey,
      recipe: recipe,
      builder: builder)
    subject.volume = Volume(image.facts)
    subject.meant = meant
    subject.epoch = epoch
    subject.root = root
    subject.agentHashes = agentHashes
    return Judgement(
      results: [reading]
        + (try run(imageChecks, on: subject, skipping: skipping, onResult: onResult)),
      files: files, known: nowKnown)
  }
}

/// What a recipe's agents are now, by the one rule for files and folders.
///
/// Those that are compiled have a path in a build only, whose business compiling is.
func agentHashes(of recipe: Recipe?) throws -> [String: ContentHash] {
  try (recipe?.agents ?? []).reduce(into: [:]) { hashes, agent in
    guard case .path(let source) = agent.source else { return }
    hashes[agent.name] = try TreeFacts(of: FilePath(source)).sha256
  }
}

/// What was found out of an image.
struct Judgement {
  var results: [CheckResult]
  /// What is in it; nil when it could not be read.
  var files: FileList?
  /// What is known of its contents from now on.
  var known: KnownContents?
}

/// The contents of an image that was read.
private struct ReadContents: ContentSource {
  let image: ImageContents
  func bytes(of node: Int, limit: Int) throws -> [UInt8] {
    try image.start(of: node, limit: limit)
  }
}

/// Stands in for an image that cannot be read.
private struct NoContent: ContentSource {
  func bytes(of node: Int, limit: Int) -> [UInt8] { [] }
}

extension Tree {
  /// A root and nothing in it.
  static let empty = Tree(
    entries: [Entry(path: [], node: 0)], nodes: [Node(kind: .directory, mode: 0o755)])
}

extension Volume {
  init(_ facts: VolumeFacts) {
    self.init(
      blockSize: facts.blockSize,
      free: Int(max(0, facts.freeBlocks - facts.reservedBlocks)) * facts.blockSize,
      freeInodes: facts.freeInodes, groups: facts.groups, groupsToZero: facts.groupsToZero,
      inodeTableSize: facts.inodeCount / max(1, facts.groups) * facts.inodeSize,
      mounts: facts.mounts, needsRecovery: facts.needsRecovery)
  }
}
