internal import Content
public import Model
internal import SystemPackage

extension Resolver {
  /// The part of a lock that `[npm]` asks for; projects of an old lock that still answer it stay.
  public func lockTools(
    of recipe: Recipe, packages: [Lock.Package], old: [Lock.NPMProject]
  ) async throws -> [Lock.NPMProject] {
    try await withScratch { try await lockNPM(recipe, packages, old: old, in: $0) }
  }

  /// Locks every tool of `[npm]`: as the old lock has it, or as npm resolves it now.
  ///
  /// - Parameter packages: the image's, among which Node may be.
  func lockNPM(
    _ recipe: Recipe, _ packages: [Lock.Package], old: [Lock.NPMProject], in folder: FilePath
  ) async throws -> [Lock.NPMProject] {
    guard let npm = recipe.npm, !npm.tools.isEmpty else { return [] }
    let target = NPMTarget(architecture: recipe.base.architecture)
    let node = nodeVersion(of: recipe, packages)
    var registry: NPMRegistry?
    var locked: [Lock.NPMProject] = []
    for tool in npm.tools {
      if let known = old.first(where: { $0.answers(tool, target, node, npm.scripts) }) {
        locked.append(known)
        continue
      }
      let known = try await registry.orElse {
        try await NPMRegistry(address: npm.registry, folder: folder, isOffline: isOffline)
      }
      registry = known
      let locker = NPMLocker(
        tool: tool, registry: known, target: target, node: node, allowed: npm.scripts,
        resolver: self,
        folder: folder.appending("npm-\(locked.count)"))
      locked.append(try await locker.lock())
    }
    try checkCommands(of: npm, locked)
    try checkScripts(of: npm, locked)
    return locked.sorted { $0.name < $1.name }
  }

  /// Where the tarballs of a lock can be had now.
  func npmDownloads(
    of lock: Lock, for recipe: Recipe, in folder: FilePath
  ) async throws -> [Download] {
    guard !lock.npm.isEmpty else { return [] }
    guard let npm = recipe.npm else { throw stale(recipe, "npm package", lock.npm[0].package) }
    let packages = lock.npm.flatMap(\.packages)
    let isComplete = packages.allSatisfy { store.contains($0.tarball.sha256) }
    let registry =
      isComplete
      ? nil : try await NPMRegistry(address: npm.registry, folder: folder, isOffline: isOffline)
    var downloads: [Download] = []
    for package in packages {
      let name = "npm \(package.name) \(package.version)"
      var urls: [String] = []
      if let registry, !store.contains(package.tarball.sha256) {
        let url = registry.address(of: package.name) + package.tarball.path
        if registry.isProtected(url), !isOffline {
          let hash = try store.add(
            try await registry.tarball(of: package.name, package.version, in: folder))
          guard hash == package.tarball.sha256 else {
            throw ResolvingFailure.untrusted(
              file: name, .wrongHash(expected: package.tarball.sha256, actual: hash))
          }
        } else {
          urls = [url]
        }
      }
      downloads.append(Download(name, package.tarball, from: urls))
    }
    return downloads
  }

  /// Every package that may run a script must be there.
  private func checkScripts(
    of npm: Recipe.NPM, _ projects: [Lock.NPMProject]
  ) throws(ResolvingFailure) {
    let known = Set(projects.flatMap(\.packages).map(\.name))
    let faults = npm.scripts.filter { !known.contains($0.value) }.map {
      Diagnostic(
        at: $0.position, "'\($0.value)' of 'scripts' is not among what [npm] brings",
        hint: suggestion(for: $0.value, among: known.sorted()))
    }
    if !faults.isEmpty { throw .faulty(faults) }
  }

  /// Every command that the recipe wants to link must be one of its tool's.
  private func checkCommands(
    of npm: Recipe.NPM, _ projects: [Lock.NPMProject]
  ) throws(ResolvingFailure) {
    var faults: [Diagnostic] = []
    for (command, package) in npm.commands.sorted(by: { $0.key < $1.key }) {
      guard let project = projects.first(where: { $0.package == package }),
        project.commands[command] == nil
      else { continue }
      let known = project.commands.keys.sorted()
      faults.append(
        Diagnostic(
          at: npm.position, "'\(package)' \(project.version) has no command '\(command)'",
          hint: known.isEmpty ? "it has none" : "it has '\(known.joined(separator: "', '"))'"))
    }
    if !faults.isEmpty { throw .faulty(faults) }
  }
}

extension Lock.NPMProject {
  /// Whether a project of an old lock is still what a recipe asks for.
  fileprivate func answers(
    _ tool: Recipe.NPM.Tool, _ target: NPMTarget, _ node: NPMVersion?,
    _ scripts: [Located<String>]
  ) -> Bool {
    let allowed = Set(scripts.map(\.value))
    guard packages.allSatisfy({ allowed.contains($0.name) == !$0.scripts.isEmpty }) else {
      return false
    }
    guard package == tool.package, range == tool.range, isNative == tool.isNative,
      packages.allSatisfy({ target.fits(os: $0.os, cpu: $0.cpu, libc: $0.libc) })
    else { return false }
    // One that the recipe's Node no longer runs is resolved again, and then reported.
    let own = packages.first { $0.name == package && $0.version == version }
    guard !isNative, let wanted = own?.node else { return isNative || node != nil }
    return node.map { NPMRange(wanted)?.contains($0) ?? true } ?? false
  }
}

extension Optional {
  /// The value, or what `make` makes.
  fileprivate func orElse(_ make: () async throws -> Wrapped) async rethrows -> Wrapped {
    if let self { return self }
    return try await make()
  }
}
