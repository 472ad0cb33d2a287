internal import Content
internal import Model

extension Resolver {
  /// What Debian's packages the archive of a browser needs, from the list that lies in it.
  ///
  /// `deb.deps` of Chrome for Testing has a dependency on each line, as control files write them.
  func dependencies(ofArchive hash: ContentHash, for recipe: Recipe) throws -> [String] {
    var reader = try ArchiveReader.open(store.path(of: hash))
    while let entry = try reader.next() {
      guard entry.kind == .file, entry.path.split(separator: 47).last == Array("deb.deps".utf8)[...]
      else { continue }
      let text = String(decoding: try reader.readAll(limit: 1 << 20), as: UTF8.self)
      let lines = text.split { $0.isNewline || $0 == "," }.map(\.trimmed).filter { !$0.isEmpty }
      for line in lines where !line.allSatisfy(isOfDependency) {
        throw ResolvingFailure.faulty([
          Diagnostic(
            at: recipe.chromium?.position ?? recipe.base.position,
            "'deb.deps' in the archive of [chromium] has a line that is no dependency: '\(line)'")
        ])
      }
      return lines.uniqued.sorted()
    }
    return []
  }

  /// Refuses a Chrome for Testing that the recipe's Puppeteer was not made for.
  func checkPuppeteer(_ recipe: Recipe, _ lock: Lock) throws {
    guard let chromium = recipe.chromium else { return }
    guard
      let puppeteer = lock.npm.flatMap(\.packages).first(where: { $0.name == "puppeteer-core" }),
      let wanted = try browserVersion(wantedBy: puppeteer)
    else { return }
    let name = "Puppeteer \(puppeteer.version) drives Chrome \(wanted)"
    guard let version = recipe.chromiumVersion(lock) else {
      guard chromium.source == .forTesting else { return }
      throw ResolvingFailure.faulty([
        Diagnostic(
          at: chromium.position, "\(name), and the address of [chromium] does not tell its version",
          hint: "say it with 'version'")
      ])
    }
    guard version != wanted else { return }
    guard chromium.source == .forTesting else {
      events(.note("\(name); [chromium] has \(version), with which it may not work"))
      return
    }
    throw ResolvingFailure.faulty([
      Diagnostic(
        at: chromium.version?.position ?? chromium.position,
        "\(name), [chromium] has \(version)",
        hint: "take the archive of \(wanted), or pin the Puppeteer that drives \(version)")
    ])
  }

  /// What Puppeteer's own list of browsers says: `chrome: '130.0.6723.58'` in `revisions.js`.
  private func browserVersion(wantedBy package: Lock.NPMPackage) throws -> String? {
    var reader = try ArchiveReader.open(store.path(of: package.tarball.sha256))
    while let entry = try reader.next() {
      let name = Array("/revisions.js".utf8)
      guard entry.kind == .file, entry.path.count > name.count,
        Array(entry.path.suffix(name.count)) == name
      else { continue }
      let text = String(decoding: try reader.readAll(limit: 1 << 20), as: UTF8.self)
      if let match = text.firstMatch(of: /\bchrome['"]?\s*:\s*['"]([0-9.]+)['"]/) {
        return String(match.1)
      }
    }
    return nil
  }
}

/// Whether a character can stand in a dependency.
private func isOfDependency(_ character: Character) -> Bool {
  character.isASCII
    && (character.isLetter || character.isNumber || " .+-:()<>=|~".contains(character))
}
