internal import Content
internal import Isolation
internal import Model
internal import SystemPackage

/// Puts the tools of `[npm]` into the root, from the lock and the store alone: no npm, no registry, no
/// scripts.
///
/// The tree is what `npm ci` makes of the same lock, with these differences: there is no
/// `node_modules/.package-lock.json`, which holds addresses; set-id bits are dropped; and what an
/// install script would put in a placeholder's place is there (`Lock.NPMProject.places`).
struct NPMInstaller {
  let root: RootFolder
  let store: BlobStore
  /// How many packages are unpacked at once.
  let jobs: Int

  /// Installs one tool into its folder below `npm.into`, and links its commands.
  func install(_ project: Lock.NPMProject, _ npm: Recipe.NPM) throws {
    let folder = FilePath(npm.into).appending(project.name)
    try root.makeFolders(folder)
    try unpackAll(project.packages, into: folder)
    for package in project.packages { try linkPrograms(of: package, in: folder) }
    for (placeholder, program) in project.places.sorted(by: { $0.key < $1.key }) {
      try root.makeHardLink(folder.appending(placeholder), to: folder.appending(program))
    }
    for (command, path) in project.commands.sorted(by: { $0.key < $1.key })
    where npm.commands.isEmpty || npm.commands[command] == project.package {
      try linkCommand(command, to: folder.appending(path), of: project)
    }
  }

  /// Unpacks packages, several at once, those that hold others before these, the largest first.
  private func unpackAll(_ packages: [Lock.NPMPackage], into folder: FilePath) throws {
    let levels = Dictionary(grouping: packages) { $0.path.ranges(of: "node_modules/").count }
    for (_, level) in levels.sorted(by: { $0.key < $1.key }) {
      try Task.checkCancellation()
      for package in level { try root.makeFolders(folder.appending(package.path)) }
      let level = level.sorted { ($1.tarball.size, $0.path) < ($0.tarball.size, $1.path) }
      _ = try concurrentMap(level, jobs: jobs) { try unpack($0, into: folder) }
    }
  }

  /// Unpacks a package as npm's pacote does: the first part of each path goes, links are left out, all
  /// may read, and commands may be run.
  private func unpack(_ package: Lock.NPMPackage, into folder: FilePath) throws {
    let name = "npm \(package.name) \(package.version)"
    let place = folder.appending(package.path)
    if let quick = try QuickTarballs(store).path(of: package) {
      var form = try ArchiveReader.open(quick)
      while let member = try form.next() {
        guard member.path.starts(with: "data.tar".utf8) else { continue }
        try form.withMember { try unpack(package, from: &$0, into: place, name: name) }
      }
      return
    }
    let source = HashedFile(try store.open(package.tarball.sha256))
    var reader = try ArchiveReader.open(name: name) { try source.read(into: $0) }
    try unpack(package, from: &reader, into: place, name: name)
    let actual = try source.finish()
    guard actual == package.integrity else {
      throw CustomiseFailure.wrongIntegrity(
        package: name, expected: package.integrity, actual: actual)
    }
  }

  private func unpack(
    _ package: Lock.NPMPackage, from reader: inout ArchiveReader, into place: FilePath, name: String
  ) throws {
    let programs = Set(package.bin.values.map { $0.utf8.split(separator: 47).map(Array.init) })
    var unpacker = PayloadUnpacker(root: root, archive: name, keepsSetID: false)
    var ignores: Set<[[UInt8]]> = []
    while let entry = try reader.next() {
      var names = try PayloadUnpacker.names(of: entry.path, member: entry.path, archive: name)
      names = Array(names.dropFirst())
      guard !names.isEmpty else { continue }
      switch entry.kind {
      case .directory:
        try unpacker.unpack(entry, from: &reader, names: names, into: place, mode: 0o755)
      case .file:
        if names.last == Array(".npmignore".utf8) { ignores.insert(names) }
        if names.last == Array(".gitignore".utf8) {
          names[names.count - 1] = Array(".npmignore".utf8)
          if ignores.contains(names) { continue }
        }
        let isProgram = programs.contains(names)
        let mode = (entry.mode | 0o644) & ~0o022 | (isProgram ? 0o755 : 0)
        try unpacker.unpack(
          entry, from: &reader, names: names, into: place, mode: mode & 0o777)
      default: continue
      }
    }
  }

  /// Makes the links of `node_modules/.bin`, and takes the carriage return out of a program's first line.
  private func linkPrograms(of package: Lock.NPMPackage, in folder: FilePath) throws {
    guard let start = package.path.ranges(of: "node_modules/").last?.upperBound else { return }
    let modules = package.path[..<start].dropLast()
    for (command, path) in package.bin.sorted(by: { $0.key < $1.key }) {
      let target = package.path[start...] + "/" + path
      let program = folder.appending(package.path).appending(path)
      // npm, too, passes over a command without a file.
      guard try root.status(of: program)?.kind == .file else { continue }
      let binaries = folder.appending(String(modules)).appending(".bin")
      try root.makeFolders(binaries)
      let link = binaries.appending(command)
      // Of two commands of one name the first stays, as with npm.
      if try root.status(of: link) == nil { try root.makeLink(link, to: FilePath("../\(target)")) }
      try root.setMode(of: program, 0o755)
      try repairFirstLine(of: program)
    }
  }

  private func repairFirstLine(of program: FilePath) throws {
    let file = try root.open(program)
    var start = [UInt8](repeating: 0, count: 2048)
    let count = try file.closeAfter { try start.withUnsafeMutableBytes { try file.read(into: $0) } }
    guard start.starts(with: "#!".utf8), let end = start.prefix(count).firstIndex(of: 10),
      start[end - 1] == 13, var bytes = try root.contents(of: program)
    else { return }
    bytes.remove(at: end - 1)
    try root.write(bytes, to: program, mode: 0o755)
  }

  private func linkCommand(
    _ command: String, to program: FilePath, of project: Lock.NPMProject
  ) throws {
    guard try root.status(of: program, followsLinks: true)?.kind == .file else {
      throw CustomiseFailure.noProgram(
        command: command, package: "\(project.package) \(project.version)", path: program.string)
    }
    try root.setMode(of: program, 0o755)
    try root.makeFolders("/usr/local/bin")
    try root.makeLink(FilePath("/usr/local/bin").appending(command), to: program)
  }
}
