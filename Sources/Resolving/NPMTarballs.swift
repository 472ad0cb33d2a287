internal import Content
internal import Model
internal import SystemPackage

extension NPMLocker {
  /// How many tarballs come at a time.
  private static let width = 8

  /// Brings every tarball into the store, checked against npm's hash, and pins it.
  func packages(_ entries: [NPMPackageLock.Entry]) async throws -> [Lock.NPMPackage] {
    var packages = [Lock.NPMPackage?](repeating: nil, count: entries.count)
    try await withThrowingTaskGroup(of: (Int, Lock.NPMPackage).self) { group in
      for (index, entry) in entries.enumerated() {
        if index >= Self.width, let (done, package) = try await group.next() {
          packages[done] = package
        }
        group.addTask { (index, try await package(entry)) }
      }
      for try await (done, package) in group { packages[done] = package }
    }
    return packages.compactMap(\.self)
  }

  private func package(_ entry: NPMPackageLock.Entry) async throws -> Lock.NPMPackage {
    guard let path = registry.path(of: entry.resolved, package: entry.name) else {
      throw fault("the tarball of '\(entry.name)' \(entry.version) lies outside of its registry")
    }
    let bytes = try await tarball(entry)
    let hash = try resolver.store.add(bytes)
    return Lock.NPMPackage(
      path: entry.path, name: entry.name, version: entry.version,
      tarball: Lock.Blob(path: path, size: bytes.count, sha256: hash), integrity: entry.integrity,
      isOptional: entry.isOptional, os: entry.os, cpu: entry.cpu, libc: entry.libc,
      node: entry.node, bin: entry.bin, scripts: try scripts(of: entry, hash))
  }

  /// What npm would run of a package that the recipe allows to run something.
  private func scripts(
    of entry: NPMPackageLock.Entry, _ tarball: ContentHash
  ) throws -> [String] {
    guard let permit = allowed.first(where: { $0.value == entry.name }) else { return [] }
    var scripts: [String] = []
    var reader = try ArchiveReader.open(resolver.store.path(of: tarball))
    while let member = try reader.next() {
      let parts = String(decoding: member.path, as: UTF8.self).split(separator: "/")
      guard member.kind == .file, parts.dropFirst() == ["package.json"] else { continue }
      let text = String(decoding: try reader.readAll(limit: 16 << 20), as: UTF8.self)
      // A package.json that is no JSON has no scripts: npm would not have locked it either.
      let members = (try? JSONNode.parse(text))?["scripts"]?.pairs ?? [:]
      scripts = ["preinstall", "install", "postinstall"].compactMap { members[$0] }
    }
    guard !scripts.isEmpty else {
      throw ResolvingFailure.faulty([
        Diagnostic(
          at: permit.position, "'\(entry.name)' \(entry.version) has no install script to run",
          hint: "take it out of 'scripts'")
      ])
    }
    return scripts
  }

  /// The bytes that npm's hash promises; what differs is fetched once more, since mirrors do that.
  private func tarball(_ entry: NPMPackageLock.Entry) async throws -> [UInt8] {
    let name = "npm \(entry.name) \(entry.version)"
    var actual = ""
    for _ in 0..<2 {
      // A token stays with npm: what needs one, npm fetches.
      let bytes =
        registry.isProtected(entry.resolved)
        ? try await registry.tarball(of: entry.name, entry.version, in: folder)
        : try await resolver.transport.bytes(
          named: name, from: [entry.resolved], limit: Resolver.unknownSizeLimit)
      actual = integrity(of: bytes)
      if actual == entry.integrity { return bytes }
    }
    throw ResolvingFailure.untrusted(
      file: name, .wrongIntegrity(expected: entry.integrity, actual: actual))
  }

  /// Puts the lock of the tool together: its commands, and the programs that a script would place.
  func project(
    _ top: NPMPackageLock.Entry, _ packages: [Lock.NPMPackage]
  ) throws -> Lock.NPMProject {
    var project = Lock.NPMProject(
      name: tool.folder, package: tool.package, version: top.version, range: tool.range,
      isNative: tool.isNative, commands: top.bin.mapValues { "\(top.path)/\($0)" },
      packages: packages.sorted { $0.path < $1.path })
    let platforms = packages.filter {
      !$0.os.isEmpty && top.optional[folderName(of: $0.path)] != nil
    }
    if tool.isNative {
      project.commands = [:]
      for command in top.bin.keys.sorted() {
        project.commands[command] = try program(command, in: platforms)
      }
      guard !project.commands.isEmpty else {
        throw fault(
          "'\(tool.package)' \(top.version) has no native program for \(target.os) on \(target.cpu)"
        )
      }
      return project
    }
    guard top.hasInstallScript, let own = packages.first(where: { $0.path == top.path }) else {
      return project
    }
    for (command, path) in top.bin.sorted(by: { $0.key < $1.key }) {
      guard try isPlaceholder(path, in: own) else { continue }
      guard let program = try program(command, in: platforms) else {
        throw fault(
          "'\(command)' of '\(tool.package)' \(top.version) is only a placeholder that its install "
            + "script would replace, and no platform package of it holds the program")
      }
      project.places["\(top.path)/\(path)"] = program
    }
    return project
  }

  /// The path in the project of the one native program of a name.
  private func program(_ command: String, in platforms: [Lock.NPMPackage]) throws -> String? {
    var found: [String] = []
    for package in platforms {
      try forEachFile(of: package) { path, start in
        let name = path.split(separator: "/").last.map(String.init) ?? path
        if name == command || name == "\(command).exe", start.starts(with: elf) {
          found.append("\(package.path)/\(path)")
        }
      }
    }
    guard found.count > 1 else { return found.first }
    throw fault(
      "'\(tool.package)' has several programs '\(command)': '\(found.joined(separator: "', '"))'")
  }

  /// Whether a command's file is neither a native program nor a script for Node.
  private func isPlaceholder(_ path: String, in package: Lock.NPMPackage) throws -> Bool {
    var isPlaceholder = false
    try forEachFile(of: package) { name, start in
      guard name == path else { return }
      let line = String(decoding: start.prefix { $0 != 10 }, as: UTF8.self)
      isPlaceholder = !start.starts(with: elf) && !(line.hasPrefix("#!") && line.contains("node"))
    }
    return isPlaceholder
  }

  /// Calls `body` with each file's path in the package and its first bytes.
  private func forEachFile(
    of package: Lock.NPMPackage, _ body: (String, [UInt8]) throws -> Void
  ) throws {
    var reader = try ArchiveReader.open(resolver.store.path(of: package.tarball.sha256))
    while let entry = try reader.next() {
      guard entry.kind == .file else { continue }
      let parts = String(decoding: entry.path, as: UTF8.self).split(separator: "/").dropFirst()
      var start = [UInt8](repeating: 0, count: 256)
      let count = try start.withUnsafeMutableBytes { try reader.read(into: $0) }
      try body(parts.joined(separator: "/"), Array(start.prefix(count)))
    }
  }
}

/// How a native program of Linux begins.
private let elf: [UInt8] = [0x7F, 0x45, 0x4C, 0x46]
