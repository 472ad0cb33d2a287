internal import Glibc
public import Model
internal import SystemPackage

/// What changed from one release to another.
public struct Difference: Sendable, Equatable, Codable {
  /// A thing with a name; nil stands for "not there".
  public struct Change: Sendable, Equatable, Codable {
    public var name: String
    public var from: String?
    public var to: String?
    /// The line of recipe or lock that made it so: `recipe.lock:120`.
    public var cause: String?
  }

  /// Files that are in both releases and differ.
  public struct FileChange: Sendable, Equatable, Codable {
    public enum Aspect: String, Sendable, Codable { case kind, content, target, mode, owner }
    public var path: String
    public var aspects: [Aspect]
    /// In octal digits, where it changed.
    public var mode: Pair?
    /// `UID:GID`, where it changed.
    public var owner: Pair?
    /// The line of the recipe that names the path, if one does.
    public var cause: String?
  }

  public struct Pair: Sendable, Equatable, Codable {
    public var from: String
    public var to: String
  }

  /// A line of the recipe's own file that only one of the releases has.
  public struct RecipeLine: Sendable, Equatable, Codable {
    /// From 1 on.
    public var line: Int
    public var text: String
  }

  public struct RecipeLines: Sendable, Equatable, Codable {
    public var removed: [RecipeLine]
    public var added: [RecipeLine]
  }

  public struct Files: Sendable, Equatable, Codable {
    public var added: [String]
    public var removed: [String]
    public var changed: [FileChange]
  }

  /// What a host that has the old image must fetch for the new one.
  public struct Shipment: Sendable, Equatable, Codable {
    public var chunks: Int
    public var bytes: Int
  }

  public var image: String
  public var from: Version
  public var to: Version
  /// The disks are the same bytes.
  public var isSameDisk: Bool
  public var isRecipeChanged: Bool
  public var isLockChanged: Bool
  /// Of the recipe's own file, not of those that it extends.
  public var recipeLines: RecipeLines
  /// Sorted by name, like the next three; the name has the type before it: `deb xvfb`.
  public var packages: [Change]
  public var clis: [Change]
  public var agents: [Change]
  public var units: [Change]
  /// Bytes of blocks that hold data, before and after.
  public var allocatedFrom: Int
  public var allocatedTo: Int
  /// Nil when a release has no list of its files.
  public var files: Files?
  /// Nil when a release has no table of chunks.
  public var shipment: Shipment?
}

extension Catalog {
  /// Compares two releases by their manifests and documents; no image is opened.
  public func difference(from old: Release, to new: Release) throws(CatalogFailure) -> Difference {
    let (before, after) = (old.manifest, new.manifest)
    let isRecipeChanged = before.inputs.recipe.sha256 != after.inputs.recipe.sha256
    let causes = Causes(
      oldRecipe: try Lines(of: old, role: "recipe"), newRecipe: try Lines(of: new, role: "recipe"),
      oldLock: try Lines(of: old, role: "lock"), newLock: try Lines(of: new, role: "lock"))
    let programs = Dictionary(
      (before.clis + after.clis).map { ($0.name, $0.package) },
      uniquingKeysWith: { _, last in last })
    return Difference(
      image: new.image, from: old.version, to: new.version,
      isSameDisk: before.disk.sha256 == after.disk.sha256, isRecipeChanged: isRecipeChanged,
      isLockChanged: before.inputs.lock.sha256 != after.inputs.lock.sha256,
      recipeLines: causes.recipeLines,
      packages: packages(from: old, to: new, causes),
      clis: changes(
        before.clis.map { ($0.name, $0.version) }, after.clis.map { ($0.name, $0.version) }
      ) { name, isThere in causes.ofInput(programs[name] ?? name, isThere: isThere) },
      agents: changes(before.agents.map(label), after.agents.map(label), causes.ofTable),
      units: changes(before.units.map(label), after.units.map(label), causes.ofTable),
      allocatedFrom: before.disk.allocatedSize, allocatedTo: after.disk.allocatedSize,
      files: try files(from: old, to: new, causes), shipment: try shipment(from: old, to: new))
  }

  private func packages(
    from old: Release, to new: Release, _ causes: Causes
  ) -> [Difference.Change] {
    func label(_ package: Manifest.Package) -> (String, String) {
      let arch = package.arch.map { ":\($0)" } ?? ""
      return ("\(package.type.rawValue) \(package.name)\(arch)", package.version)
    }
    let packages = old.manifest.inputs.packages + new.manifest.inputs.packages
    let names = Dictionary(
      packages.map { (label($0).0, $0.name) }, uniquingKeysWith: { first, _ in first })
    return changes(
      old.manifest.inputs.packages.map(label), new.manifest.inputs.packages.map(label)
    ) { name, isThere in causes.ofInput(names[name] ?? name, isThere: isThere) }
  }

  private func files(
    from old: Release, to new: Release, _ causes: Causes
  ) throws(CatalogFailure) -> Difference.Files? {
    guard let before = try fileList(of: old), let after = try fileList(of: new) else { return nil }
    var files = Difference.Files(added: [], removed: [], changed: [])
    for (path, entry) in after.entries.sorted(by: { $0.key < $1.key }) {
      guard let was = before.entries[path] else {
        files.added.append(path)
        continue
      }
      var aspects: [Difference.FileChange.Aspect] = []
      if was.kind != entry.kind { aspects.append(.kind) }
      if was.size != entry.size || was.content != entry.content { aspects.append(.content) }
      if was.target != entry.target { aspects.append(.target) }
      if was.mode != entry.mode { aspects.append(.mode) }
      if (was.uid, was.gid) != (entry.uid, entry.gid) { aspects.append(.owner) }
      if aspects.isEmpty { continue }
      files.changed.append(
        Difference.FileChange(
          path: path, aspects: aspects,
          mode: pair(String(was.mode, radix: 8), String(entry.mode, radix: 8)),
          owner: pair("\(was.uid):\(was.gid)", "\(entry.uid):\(entry.gid)"),
          cause: causes.ofPath("/" + path)))
    }
    files.removed = before.entries.keys.filter { after.entries[$0] == nil }.sorted()
    return files
  }

  private func fileList(of release: Release) throws(CatalogFailure) -> FileList? {
    guard let document = release.manifest.documents.first(where: { $0.role == FileList.role }),
      let bytes = try read(release.folder.appending(document.file))
    else { return nil }
    guard let list = FileList(text: String(decoding: bytes, as: UTF8.self)) else {
      throw .damaged(release.folder.appending(document.file), reason: "it is no list of files")
    }
    return list
  }

  private func shipment(
    from old: Release, to new: Release
  ) throws(CatalogFailure) -> Difference.Shipment? {
    guard let before = try chunks(of: old), let after = try chunks(of: new) else { return nil }
    let missing = after.filter { before[$0.key] == nil }
    return Difference.Shipment(chunks: missing.count, bytes: missing.values.reduce(0, +))
  }

  /// The hashes in a release's chunk table with the lengths of their chunks.
  private func chunks(of release: Release) throws(CatalogFailure) -> [[UInt8]: Int]? {
    guard let table = release.manifest.disk.chunks,
      let bytes = try read(release.folder.appending(table.tableFile))
    else { return nil }
    var chunks: [[UInt8]: Int] = [:]
    for start in stride(from: 0, to: bytes.count - 43, by: 44) {
      let length = bytes[start + 8..<start + 12].reversed().reduce(0) { $0 << 8 | Int($1) }
      chunks[Array(bytes[start + 12..<start + 44])] = length
    }
    return chunks
  }
}

/// What made a thing change: lines of the recipes and locks that lie beside both images.
private struct Causes {
  var oldRecipe: Lines?
  var newRecipe: Lines?
  var oldLock: Lines?
  var newLock: Lines?

  /// What came and what went of the recipe's own file, blank lines aside.
  var recipeLines: Difference.RecipeLines {
    func only(_ these: Lines?, _ those: Lines?) -> [Difference.RecipeLine] {
      these?.numbered.filter { !$0.text.isEmpty && those?.holds($0.text[...]) != true } ?? []
    }
    return Difference.RecipeLines(
      removed: only(oldRecipe, newRecipe), added: only(newRecipe, oldRecipe))
  }

  /// Of a file: the recipe's line that names it.
  func ofPath(_ path: String) -> String? { newRecipe?.line(of: path)?.place }

  /// Of an input with a pin: the recipe's line when it names the thing and is new or gone, else the
  /// lock's.
  func ofInput(_ name: String, isThere: Bool) -> String? {
    let (recipe, other) = isThere ? (newRecipe, oldRecipe) : (oldRecipe, newRecipe)
    if let line = recipe?.line(of: name), other?.holds(line.text) != true { return line.place }
    return (isThere ? newLock : oldLock)?.line(of: name)?.place
  }

  /// Of a table of the recipe: its line; without one the recipe that it extends.
  func ofTable(_ name: String, isThere: Bool) -> String? {
    guard let recipe = isThere ? newRecipe : oldRecipe else { return nil }
    return recipe.line(of: name)?.place ?? "what \(recipe.file) extends"
  }
}

/// A document of a release by its lines.
private struct Lines {
  let file: String
  private let lines: [Substring]

  init?(of release: Release, role: String) throws(CatalogFailure) {
    guard let document = release.manifest.documents.first(where: { $0.role == role }),
      let bytes = try read(release.folder.appending(document.file))
    else { return nil }
    file = document.file
    lines = String(decoding: bytes, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false)
  }

  /// The first line with the name in quotes, alone or with a version behind it.
  func line(of name: String) -> (place: String, text: Substring)? {
    let index = lines.firstIndex { line in
      ["\"", "=", "@"].contains { line.contains("\"\(name)\($0)") }
    }
    return index.map { ("\(file):\($0 + 1)", lines[$0]) }
  }

  var numbered: [Difference.RecipeLine] {
    lines.enumerated().map { Difference.RecipeLine(line: $0 + 1, text: String($1)) }
  }

  func holds(_ line: Substring) -> Bool { lines.contains(line) }
}

/// Nil where both are the same.
private func pair(_ from: String, _ to: String) -> Difference.Pair? {
  from == to ? nil : Difference.Pair(from: from, to: to)
}

private func label(_ agent: Manifest.Agent) -> (String, String) {
  (
    agent.name,
    [agent.version, String(agent.sha256.hex.prefix(12))].compactMap(\.self).joined(separator: " ")
  )
}

private func label(_ unit: Manifest.Unit) -> (String, String) {
  (
    unit.name,
    [unit.state.rawValue, unit.sha256.map { String($0.hex.prefix(12)) }].compactMap(\.self)
      .joined(separator: " ")
  )
}

/// Names whose labels differ, sorted.
///
/// - Parameter cause: of a name, and whether the new release has it.
private func changes(
  _ old: [(String, String)], _ new: [(String, String)], _ cause: (String, Bool) -> String?
) -> [Difference.Change] {
  let before = Dictionary(old, uniquingKeysWith: { first, _ in first })
  let after = Dictionary(new, uniquingKeysWith: { first, _ in first })
  return Set(before.keys).union(after.keys).sorted().compactMap { name in
    before[name] == after[name]
      ? nil
      : Difference.Change(
        name: name, from: before[name], to: after[name], cause: cause(name, after[name] != nil))
  }
}
