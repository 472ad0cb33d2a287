internal import Isolation
internal import SystemPackage

/// Why a unit could not be enabled, disabled or masked.
enum UnitFailure: Error, Equatable {
  case missing(String)
  case masked(String)
  case nothingToDo(String)
  case inTheWay(FilePath)
  case badName(String, of: String)
}

/// The units of an image: what `systemctl --root` does to them, without systemctl.
struct UnitTree {
  let root: RootFolder
  static let configuration: FilePath = "/etc/systemd/system"
  /// Where unit files are, in the order in which systemd looks.
  static let folders: [FilePath] = [
    configuration, "/usr/local/lib/systemd/system", "/lib/systemd/system",
    "/usr/lib/systemd/system",
  ]

  /// The file of a unit, or of the template of an instance; nil when there is none.
  func file(of name: UnitName) throws -> FilePath? {
    for candidate in name.isInstance ? [name, name.template] : [name] {
      for folder in Self.folders {
        let path = folder.appending(candidate.text)
        guard let status = try root.status(of: path) else { continue }
        guard status.kind == .link else { return path }
        guard let target = try root.target(ofLink: path) else { continue }
        if target == "/dev/null" { throw UnitFailure.masked(name.text) }
        // An alias: the unit is the one that it names.
        if let other = target.lastComponent, other.string != candidate.text {
          return try file(of: UnitName(other.string))
        }
        if try root.status(of: path, followsLinks: true) != nil { return path }
      }
    }
    return nil
  }

  /// Every unit that the image has a file for, sorted.
  func names() throws -> [UnitName] {
    var names: Set<String> = []
    for folder in Self.folders where try root.status(of: folder, followsLinks: true) != nil {
      for name in try root.names(in: folder) where UnitName(name.string).isValid {
        names.insert(name.string)
      }
    }
    return names.sorted().map(UnitName.init)
  }

  private func section(of name: UnitName, _ file: FilePath) throws -> InstallSection {
    var section = InstallSection()
    section.read(String(decoding: try root.contents(of: file) ?? [], as: UTF8.self))
    let fileName = file.lastComponent?.string ?? name.text
    for owner in Set([fileName, name.text]).sorted() {
      for folder in Self.folders.reversed() {
        let dropIns = folder.appending(owner + ".d")
        guard try root.status(of: dropIns, followsLinks: true)?.kind == .folder else { continue }
        for dropIn in try root.names(in: dropIns) where dropIn.string.hasSuffix(".conf") {
          let text = try root.contents(of: dropIns.appending(dropIn)) ?? []
          section.read(String(decoding: text, as: UTF8.self))
        }
      }
    }
    return section
  }

  // MARK: - Enabling

  /// Makes the links that a unit's `[Install]` section asks for, and those of its `Also`.
  func enable(_ name: UnitName) throws {
    var done: Set<UnitName> = []
    try enable(name, isAuxiliary: false, &done)
  }

  private func enable(_ name: UnitName, isAuxiliary: Bool, _ done: inout Set<UnitName>) throws {
    guard done.insert(name).inserted else { return }
    let found: FilePath?
    do { found = name.isValid ? try self.file(of: name) : nil } catch UnitFailure.masked
      where isAuxiliary
    { return }  // systemctl passes over those, too
    guard let file = found else {
      if isAuxiliary { return }
      throw UnitFailure.missing(name.text)
    }
    // An alias stands for the unit that it names.
    let owner = UnitName(file.lastComponent?.string ?? name.text)
    let unit = owner.isTemplate && name.isInstance ? name : owner
    let section = try section(of: unit, file)
    if section.isEmpty, !isAuxiliary { throw UnitFailure.nothingToDo(name.text) }
    for alias in section.aliases {
      let alias = UnitName(expand(alias, for: unit, section))
      guard alias.suffix == unit.suffix, alias.isValid else {
        throw UnitFailure.badName(alias.text, of: unit.text)
      }
      // A template's alias for an instance takes the instance of the unit.
      guard !alias.isTemplate || !unit.isInstance else {
        try link(alias.instance(unit.instance ?? "").text, to: file)
        continue
      }
      guard !unit.isInstance || alias.instance == nil || alias.instance == unit.instance
      else { continue }
      if alias.text != file.lastComponent?.string { try link(alias.text, to: file) }
    }
    let wanted = unit.isTemplate ? section.defaultInstance.map(unit.instance) ?? unit : unit
    for (list, kind) in [
      (section.wantedBy, "wants"), (section.requiredBy, "requires"), (section.upheldBy, "upholds"),
    ] {
      for target in list {
        let target = UnitName(expand(target, for: unit, section))
        if wanted.isTemplate, !target.isTemplate { continue }  // nobody knows which instance
        guard target.isValid else { throw UnitFailure.badName(target.text, of: unit.text) }
        try link("\(target.text).\(kind)/\(wanted.text)", to: file)
      }
    }
    for other in section.also {
      try enable(UnitName(expand(other, for: unit, section)), isAuxiliary: true, &done)
    }
  }

  private func link(_ name: String, to file: FilePath) throws {
    let path = Self.configuration.pushing(FilePath(name))
    try root.makeFolders(path.removingLastComponent())
    try removeLink(path)
    try root.makeLink(path, to: file)
  }

  /// Makes way for a link; a file there is the image's and stays.
  private func removeLink(_ path: FilePath) throws {
    guard let status = try root.status(of: path) else { return }
    guard status.kind == .link else { throw UnitFailure.inTheWay(path) }
    try root.removeFileOrEmptyFolder(path)
  }

  /// Replaces the specifiers that can stand in `[Install]`; those of a running machine stay.
  private func expand(_ text: String, for unit: UnitName, _ section: InstallSection) -> String {
    let instance = unit.isTemplate ? section.defaultInstance ?? "" : unit.instance ?? ""
    var result = ""
    var rest = text[...]
    while let character = rest.popFirst() {
      guard character == "%", let specifier = rest.popFirst() else {
        result.append(character)
        continue
      }
      switch specifier {
      case "n": result += unit.text
      case "N": result += unit.text.dropLast(unit.suffix.count)
      case "p": result += unit.prefix
      case "i": result += instance
      case "j": result += unit.prefix.split(separator: "-").last.map(String.init) ?? unit.prefix
      case "%": result += "%"
      default: result += "%\(specifier)"
      }
    }
    return result
  }

  // MARK: - Disabling and masking

  /// Removes every link that leads to a unit or bears its name, and those of its `Also`.
  func disable(_ name: UnitName) throws {
    var names: Set<UnitName> = []
    try collect(name, &names)
    guard try root.status(of: Self.configuration, followsLinks: true) != nil else { return }
    for entry in try root.names(in: Self.configuration) {
      let path = Self.configuration.appending(entry)
      guard try root.status(of: path)?.kind == .folder else {
        try removeLink(path, leadingTo: names)
        continue
      }
      guard [".wants", ".requires", ".upholds"].contains(where: entry.string.hasSuffix)
      else { continue }
      for member in try root.names(in: path) {
        try removeLink(path.appending(member), leadingTo: names)
      }
      if try root.names(in: path).isEmpty { try root.removeFileOrEmptyFolder(path) }
    }
  }

  private func collect(_ name: UnitName, _ names: inout Set<UnitName>) throws {
    guard names.insert(name).inserted, let file = try file(of: name) else { return }
    let unit = UnitName(file.lastComponent?.string ?? name.text)
    if !name.isInstance { names.insert(unit) }
    let section = try section(of: name, file)
    for other in section.also { try collect(UnitName(expand(other, for: name, section)), &names) }
  }

  private func removeLink(_ path: FilePath, leadingTo names: Set<UnitName>) throws {
    guard let target = try root.target(ofLink: path), target != "/dev/null" else { return }
    let link = UnitName(path.lastComponent?.string ?? "")
    let file = UnitName(target.lastComponent?.string ?? "")
    // A template stands for all its instances; an instance for itself.
    let isOurs =
      names.contains(link) || (link.isInstance && names.contains(link.template))
      || (names.contains(file) && (!file.isTemplate || !link.isInstance))
    if isOurs { try root.removeFileOrEmptyFolder(path) }
  }

  /// Makes a unit one that cannot be started.
  func mask(_ name: UnitName) throws {
    guard name.isValid else { throw UnitFailure.badName(name.text, of: name.text) }
    let path = Self.configuration.appending(name.text)
    try root.makeFolders(Self.configuration)
    try removeLink(path)
    try root.makeLink(path, to: "/dev/null")
  }

  // MARK: - Presets

  /// Whether the image's presets want a unit enabled: the first line that names it decides.
  func isPreset(_ name: UnitName) throws -> Bool {
    let folders: [FilePath] = [
      "/etc/systemd/system-preset", "/usr/local/lib/systemd/system-preset",
      "/usr/lib/systemd/system-preset", "/lib/systemd/system-preset",
    ]
    var files: [String: FilePath] = [:]
    for folder in folders where try root.status(of: folder, followsLinks: true) != nil {
      for file in try root.names(in: folder) where file.string.hasSuffix(".preset") {
        // A file of the same name in an earlier folder stands in its place.
        if files[file.string] == nil { files[file.string] = folder.appending(file) }
      }
    }
    for (_, path) in files.sorted(by: { $0.key < $1.key }) {
      let text = String(decoding: try root.contents(of: path) ?? [], as: UTF8.self)
      for line in text.split(separator: "\n") {
        let words = line.split(whereSeparator: \.isWhitespace)
        guard words.count >= 2, words[0] == "enable" || words[0] == "disable",
          PathPattern.matchesName(Array(words[1].utf8)[...], Array(name.text.utf8)[...])
        else { continue }
        return words[0] == "enable"
      }
    }
    return true
  }
}
