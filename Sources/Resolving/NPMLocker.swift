internal import Content
internal import Model
internal import SystemPackage

/// Locks one tool: lets npm resolve it, and refuses whatever npm would silently do without.
struct NPMLocker: Sendable {
  let tool: Recipe.NPM.Tool
  let registry: NPMRegistry
  let target: NPMTarget
  let node: NPMVersion?
  /// Packages whose install scripts may run.
  let allowed: [Located<String>]
  let resolver: Resolver
  /// Receives the project for npm.
  let folder: FilePath

  func lock() async throws -> Lock.NPMProject {
    resolver.events(.advanced(.resolve, done: 0, subject: tool.package))
    let catalog = try await registry.catalog(of: tool)
    guard let release = catalog.pick(tool.range) else { throw noVersion(in: catalog) }
    if !tool.isNative,
      let fault = catalog.engineFault(
        of: release, for: tool, node: node,
        hasNative: release.optional.contains {
          !target.isForeign($0.key, $0.value) && target.isNamed(in: $0.key)
        })
    {
      throw ResolvingFailure.faulty([fault])
    }
    let whole = try await packageLock(version: release.version.description)
    try checkOptional(whole)
    var entries = try await fitting(whole)
    guard let top = whole.entries.first(where: { $0.path == "node_modules/\(tool.package)" })
    else { throw fault("npm's lock does not hold '\(tool.package)'") }
    if tool.isNative {
      let names = Set(top.optional.keys)
      entries = entries.filter { !$0.os.isEmpty && names.contains(folderName(of: $0.path)) }
    }
    noteEngines(entries, except: top)
    let packages = try await packages(entries)
    return try project(top, packages)
  }

  /// Lets npm write its lock, and reads it.
  private func packageLock(version: String) async throws -> NPMPackageLock {
    do { try makeFolder(folder) } catch {
      throw ResolvingFailure.io(operation: "make", path: folder.string, reason: "\(error)")
    }
    try write(
      "{\"dependencies\": {\(quoted(tool.package)): \(quoted(version))}}",
      to: folder.appending("package.json"))
    let result = try await registry.npm([
      "install", "--package-lock-only", "--lockfile-version=3", "--prefix", folder.string,
      "--os=\(target.os)", "--cpu=\(target.cpu)", "--libc=\(target.libc)", "--include=optional",
      "--include=prod", "--install-strategy=hoisted", "--legacy-peer-deps=false", "--force=false",
      "--engine-strict=false", "--global=false", "--dry-run=false",
    ])
    guard result.isSuccess else {
      guard let error = NPMError(result) else { throw result.failure(of: "npm") }
      if error.isTransient {
        throw ResolvingFailure.unreachable(name: "npm \(tool.package)", reason: error.summary)
      }
      if ["E404", "ETARGET", "EBADPLATFORM"].contains(error.code) {
        throw fault("'\(tool.package)' \(version) cannot be resolved: \(error.summary)")
      }
      throw ResolvingFailure.failed(
        program: "npm", status: "failed (\(error.code))", output: error.summary)
    }
    return try NPMPackageLock(text(of: folder.appending("package-lock.json")))
  }

  /// Refuses a lock from which npm has left out what it could not find.
  private func checkOptional(_ lock: NPMPackageLock) throws(ResolvingFailure) {
    for entry in lock.entries {
      for (name, spec) in entry.optional.sorted(by: { $0.key < $1.key })
      where lock.entry(named: name, for: entry.path) == nil && !target.isForeign(name, spec) {
        let alias = spec.hasPrefix("npm:") ? " (\(spec.dropFirst(4)))" : ""
        throw fault(
          "'\(entry.name)' \(entry.version) needs '\(name)'\(alias), which the registry does not have",
          hint: "npm would go on without it, and the program would not run; pin another version")
      }
    }
  }

  /// What belongs on the target, with the C library that npm's lock leaves out.
  private func fitting(_ lock: NPMPackageLock) async throws -> [NPMPackageLock.Entry] {
    var entries: [NPMPackageLock.Entry] = []
    for var entry in lock.entries {
      guard target.fits(os: entry.os, cpu: entry.cpu, libc: entry.libc) else {
        // What npm would refuse to install, it refused to lock, unless it was made for elsewhere.
        guard entry.isOptional else {
          throw fault("'\(entry.name)' \(entry.version) is not for \(target.os) on \(target.cpu)")
        }
        continue
      }
      if entry.isOptional, entry.libc.isEmpty, !entry.os.isEmpty || !entry.cpu.isEmpty {
        entry.libc = try await registry.libc(of: entry.name, entry.version)
        guard target.fits(os: [], cpu: [], libc: entry.libc) else { continue }
      }
      entries.append(entry)
    }
    try checkPlatforms(lock, entries)
    return entries
  }

  /// A package that has programs for Linux must have one for this Linux.
  private func checkPlatforms(
    _ lock: NPMPackageLock, _ chosen: [NPMPackageLock.Entry]
  ) throws(ResolvingFailure) {
    let paths = Set(chosen.map(\.path))
    for entry in chosen {
      let platforms = entry.optional.keys.compactMap { lock.entry(named: $0, for: entry.path) }
        .filter { $0.os.contains(target.os) }
      if !platforms.isEmpty, !platforms.contains(where: { paths.contains($0.path) }) {
        throw fault(
          "'\(entry.name)' \(entry.version) has no package for \(target.os) on \(target.cpu) "
            + "with \(target.libc)")
      }
    }
  }

  /// Tells of inner packages that ask for another Node, as npm does; the tool's own range is checked.
  private func noteEngines(_ entries: [NPMPackageLock.Entry], except top: NPMPackageLock.Entry) {
    guard let node, !tool.isNative else { return }
    for entry in entries where entry.path != top.path {
      guard let wanted = entry.node, NPMRange(wanted)?.contains(node) == false else { continue }
      resolver.events(
        .note(
          "'\(entry.name)' \(entry.version), which '\(tool.package)' needs, asks for node \(wanted); "
            + "the recipe has \(node)"))
    }
  }

  private func noVersion(in catalog: NPMCatalog) -> ResolvingFailure {
    let last = catalog.releases.suffix(5).map { "\($0.version)" }
    let tags = catalog.tags.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value))" }
    return fault(
      "the registry has no '\(tool.package)' of version '\(tool.range.isEmpty ? "latest" : tool.range)'",
      hint: last.isEmpty
        ? "it has no version at all"
        : "the newest are \(last.joined(separator: ", ")); tags: \(tags.joined(separator: ", "))")
  }

  func fault(_ message: String, hint: String? = nil) -> ResolvingFailure {
    .faulty([Diagnostic(at: tool.position, message, hint: hint)])
  }
}

extension NPMTarget {
  /// Whether a package's name says that it is for this very machine.
  func isNamed(in name: String) -> Bool {
    let words = name.split { !$0.isLetter && !$0.isNumber }
    return words.contains { $0 == os } && words.contains { $0 == cpu }
  }
}
