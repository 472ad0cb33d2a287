internal import Content
internal import Isolation
internal import Model
internal import SystemPackage

/// Unpacks the recipe's `[[archive]]` tables into the root.
struct ArchiveInstaller {
  let root: RootFolder
  let store: BlobStore

  /// Unpacks the members that `include` and `exclude` let through, as user and group 0.
  ///
  /// - Throws: `FaultyRecipe` when a pattern of `include` or the whole table takes nothing, since that
  ///   is a slip of the pen; `CustomiseFailure.refused` for a member that leads outside.
  func install(_ archive: Recipe.Archive, _ pin: Lock.Archive) throws {
    try store.check(pin.file.sha256)
    let includes = archive.include.map(PathPattern.init)
    let excludes = archive.exclude.map(PathPattern.init)
    let into = FilePath(archive.into)
    var used = Array(repeating: false, count: includes.count)
    var count = 0
    var unpacker = PayloadUnpacker(root: root, archive: archive.name, keepsSetID: true)
    try root.makeFolders(into)
    let file = try store.open(pin.file.sha256)
    defer { try? file.close() }  // only read from
    var reader = try ArchiveReader.open(file, name: archive.name)
    while let entry = try reader.next() {
      let names = try stripped(entry.path, entry, archive)
      guard !names.isEmpty || entry.kind == .directory else { continue }
      for (index, pattern) in includes.enumerated() where pattern.covers(names) {
        used[index] = true
      }
      guard names.isEmpty || includes.isEmpty || includes.contains(where: { $0.covers(names) }),
        !excludes.contains(where: { $0.covers(names) })
      else { continue }
      guard !names.isEmpty else { continue }
      var linkNames: [[UInt8]]?
      if case .hardlink(let target) = entry.kind {
        linkNames = try stripped(target, entry, archive)
      }
      try unpacker.unpack(
        entry, from: &reader, names: names, into: into, mode: entry.mode, linkNames: linkNames)
      count += 1
    }
    for (index, isUsed) in used.enumerated() where !isUsed {
      throw FaultyRecipe(
        at: archive.position,
        "nothing in archive '\(archive.name)' matches '\(archive.include[index])'",
        hint: "patterns count from where 'strip' has cut")
    }
    guard count > 0 else {
      throw FaultyRecipe(
        at: archive.position, "nothing of archive '\(archive.name)' is left to unpack",
        hint: "see 'strip' and 'exclude'")
    }
  }

  /// A member's names without the first ones.
  private func stripped(
    _ path: [UInt8], _ entry: ArchiveEntry, _ archive: Recipe.Archive
  ) throws(CustomiseFailure) -> [[UInt8]] {
    Array(
      try PayloadUnpacker.names(of: path, member: entry.path, archive: archive.name)
        .dropFirst(archive.strip))
  }
}
