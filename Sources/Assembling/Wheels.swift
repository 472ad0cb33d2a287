internal import Content
internal import Isolation
internal import Model
internal import SystemPackage

/// Unpacks files of the recipe's `[[wheel]]` tables into the root.
struct WheelInstaller {
  let root: RootFolder
  let store: BlobStore

  /// Unpacks what `files` names, as user and group 0, and makes the links.
  ///
  /// Programs become 0755 and all else 0644: which files are programs the wheel's own attributes say,
  /// and its `scripts` folder, as for pip.
  ///
  /// - Throws: `FaultyRecipe` when an entry of `files` is not in the wheel.
  func install(_ wheel: Recipe.Wheel, _ pin: Lock.Wheel) throws {
    try store.check(pin.file.sha256)
    let rules = wheel.files.sorted { $0.key < $1.key }.map(Rule.init)
    var used = Array(repeating: false, count: rules.count)
    var unpacker = PayloadUnpacker(root: root, archive: pin.file.path, keepsSetID: false)
    let file = try store.open(pin.file.sha256)
    defer { try? file.close() }  // only read from
    var reader = try ArchiveReader.open(file, name: pin.file.path)
    while let entry = try reader.next() {
      let names = try PayloadUnpacker.names(
        of: entry.path, member: entry.path, archive: pin.file.path)
      // A member comes to one place: that of the rule that names the most of its path.
      guard
        let index = rules.indices.filter({ rules[$0].covers(names) })
          .max(by: { rules[$0].names.count < rules[$1].names.count })
      else { continue }
      used[index] = true
      let rule = rules[index]
      if entry.kind == .directory { continue }  // made for what is in it
      let rest = rule.isFolder ? Array(names.dropFirst(rule.names.count)) : [rule.lastName]
      try unpacker.unpack(
        entry, from: &reader, names: rest, into: rule.folder, mode: mode(of: entry, names))
    }
    for (rule, isUsed) in zip(rules, used) where !isUsed {
      throw FaultyRecipe(
        at: wheel.position, "wheel '\(pin.file.path)' has no '\(rule.source)'",
        hint: rule.isFolder ? nil : "a folder ends with '/'")
    }
    for (path, target) in wheel.links.sorted(by: { $0.key < $1.key }) {
      try root.makeFolders(FilePath(path).removingLastComponent())
      try root.makeLink(FilePath(path), to: FilePath(target))
    }
  }

  private func mode(of entry: ArchiveEntry, _ names: [[UInt8]]) -> UInt16 {
    let isScript =
      names.count > 2 && names[0].reversed().starts(with: ".data".utf8.reversed())
      && names[1] == Array("scripts".utf8)
    return isScript || entry.mode & 0o111 != 0 ? 0o755 : 0o644
  }

  /// A line of `files`: what to take and where it comes.
  private struct Rule {
    let source: String
    let names: [[UInt8]]
    let isFolder: Bool
    /// The folder in the image, and for a file its name there.
    let folder: FilePath
    let lastName: [UInt8]

    init(source: String, target: String) {
      self.source = source
      names = source.utf8.split(separator: UInt8(ascii: "/")).map(Array.init)
      isFolder = source.hasSuffix("/")
      let path = FilePath(target)
      folder = isFolder ? path : path.removingLastComponent()
      lastName = path.lastComponent?.bytes ?? []
    }

    init(_ pair: (key: String, value: String)) { self.init(source: pair.key, target: pair.value) }

    func covers(_ member: [[UInt8]]) -> Bool {
      isFolder ? member.count > names.count && member.starts(with: names) : member == names
    }
  }
}
