internal import Imaging
internal import Model
internal import Support
internal import SystemPackage

@testable import Verifying

/// A small image with a fault that a test puts into it, written and read back.
struct DoctoredImage {
  static let epoch = 1_700_000_000
  let folder: TemporaryFolder
  let disk: FilePath
  var tree: Tree

  /// Owner, group, group 4, mask and others, as the kernel shows it.
  private static let accessList: [UInt8] =
    [2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 4, 0, 5, 0, 255, 255, 255, 255]
    + [8, 0, 5, 0, 4, 0, 0, 0, 16, 0, 5, 0, 255, 255, 255, 255, 32, 0, 5, 0, 255, 255, 255, 255]

  /// A tree in which every check finds nothing.
  static let sound: [String: Tree.Node] = [
    "etc": directory(), "etc/machine-id": file(""),
    "etc/shadow": file("root:*:1::::::\n", mode: 0o640),
    "etc/passwd": file("root:x:0:0:root:/root:/bin/sh\n"), "etc/ssh": directory(),
    "etc/systemd": directory(), "etc/systemd/system": directory(),
    "etc/systemd/system/multi-user.target.wants": directory(),
    "etc/systemd/system/multi-user.target.wants/serve.service": link("../serve.service"),
    "etc/systemd/system/serve.service": file(
      "[Unit]\nDescription=Serves\n[Service]\nExecStart=/usr/bin/serve\n"),
    "home": directory(), "root": directory(mode: 0o700), "tmp": directory(mode: 0o1777),
    "usr": directory(), "usr/bin": directory(), "usr/bin/serve": file("#!/bin/sh\n", mode: 0o755),
    "usr/lib": directory(), "usr/lib/systemd": directory(), "usr/lib/systemd/system": directory(),
    "opt": directory(), "opt/agent": directory(),
    "opt/agent/run": file("#!/bin/sh\necho 1\n", mode: 0o755),
    "var": directory(), "var/lib": directory(), "var/lib/dpkg": directory(),
    "var/lib/dpkg/info": directory(),
    "var/log": Tree.Node(
      kind: .directory, mode: 0o755, modified: Tree.Time(seconds: Int64(epoch)),
      xattrs: [
        Tree.Xattr(name: Array("system.posix_acl_default".utf8), value: accessList),
        Tree.Xattr(name: Array("user.note".utf8), value: [1, 2, 3]),
      ]),
    "var/lib/dpkg/status": file(
      "Package: hello\nStatus: install ok installed\nArchitecture: amd64\nInstalled-Size: 12\n\n"),
    "var/lib/dpkg/info/hello.list": file("/.\n/usr\n/usr/bin\n/usr/bin/serve\n"),
  ]

  /// - Parameter changes: nodes to add or replace by path; nil takes one away.
  init(_ changes: [String: Tree.Node?] = [:]) throws {
    var nodes = Self.sound
    for (path, node) in changes { nodes[path] = node }
    folder = try TemporaryFolder()
    disk = folder / "image.ext4"
    let paths = nodes.keys.sorted()
    tree = Tree(
      entries: [Tree.Entry(path: [], node: 0)]
        + paths.enumerated().map { Tree.Entry(path: Array($1.utf8), node: $0 + 1) },
      nodes: [Self.directory()] + paths.compactMap { nodes[$0] })
    _ = try writeImage(
      of: tree, to: disk,
      options: ImageOptions(
        size: 32 << 20, label: "test", identity: "test", epoch: UInt32(Self.epoch),
        inodeCount: nil, jobs: 1))
  }

  /// Reads the image back, as a build does.
  func subject(
    recipe: Recipe? = nil, builder: BuildMachine = BuildMachine(), meant: Tree? = nil
  ) throws -> Subject {
    let image = try readImage(at: disk)
    let collector = HitCollector(builder)
    let found = try survey(
      image, against: meant ?? tree, known: KnownContents(rule: surveyRule(builder)), jobs: 2,
      overlap: HitCollector.overlap, scan: { collector.scan($0, $1) })
    var subject = Subject(
      disk: disk, files: FileTable(image.tree), content: Content(image: image),
      survey: Survey(hits: collector.all, differing: found.differing, isCompared: true),
      recipe: recipe,
      builder: builder)
    subject.meant = meant ?? tree
    subject.epoch = Self.epoch
    let facts = image.facts
    subject.volume = Volume(
      blockSize: facts.blockSize, free: Int(facts.freeBlocks) * facts.blockSize,
      freeInodes: facts.freeInodes, groups: facts.groups, groupsToZero: facts.groupsToZero,
      inodeTableSize: 1 << 20, mounts: facts.mounts, needsRecovery: facts.needsRecovery)
    return subject
  }

  /// What one check says, a line each.
  func findings(
    of check: any Check, recipe: Recipe? = nil, builder: BuildMachine = BuildMachine(),
    meant: Tree? = nil
  ) throws -> [String] {
    let subject = try subject(recipe: recipe, builder: builder, meant: meant)
    return try run([check], on: subject)[0].findings.map { "\($0)" }
  }

  struct Content: ContentSource {
    let image: ImageContents
    func bytes(of node: Int, limit: Int) throws -> [UInt8] {
      try image.start(of: node, limit: limit)
    }
  }

  static func directory(mode: UInt16 = 0o755) -> Tree.Node {
    Tree.Node(kind: .directory, mode: mode, modified: Tree.Time(seconds: Int64(epoch)))
  }

  static func file(_ text: String, mode: UInt16 = 0o644) -> Tree.Node {
    let bytes = Array(text.utf8)
    return Tree.Node(
      kind: .file(Tree.File(size: Int64(bytes.count), origin: .inline(bytes))), mode: mode,
      modified: Tree.Time(seconds: Int64(epoch)))
  }

  static func link(_ target: String) -> Tree.Node {
    Tree.Node(
      kind: .symlink(target: Array(target.utf8)), mode: 0o777,
      modified: Tree.Time(seconds: Int64(epoch)))
  }
}

/// A recipe of which a test changes what it needs.
func sampleRecipe() -> Recipe {
  let place = SourcePosition(file: "r.toml", line: 1, column: 1)
  return Recipe(
    file: "r.toml", digest: ContentHash(bytes: Array(repeating: 0, count: 32)),
    image: Recipe.Image(name: "sample", position: place),
    base: Recipe.Base(distribution: .debian, suite: "bookworm", position: place),
    packages: Recipe.Packages())
}
