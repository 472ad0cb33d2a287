internal import Isolation
internal import Model
internal import SystemPackage

/// Puts the recipe's `[[unit]]` tables into the root: files first, then masks, then links.
struct UnitInstaller {
  let root: RootFolder
  private var tree: UnitTree { UnitTree(root: root) }

  func install(_ units: [Recipe.Unit]) throws {
    for unit in units {
      let content: [UInt8]? =
        if let source = unit.source { try hostFile(source) } else {
          unit.text.map { Array($0.utf8) }
        }
      guard let content else { continue }
      try root.makeFolders(UnitTree.configuration)
      try root.write(content, to: UnitTree.configuration.appending(unit.name))
    }
    for unit in units where unit.state == .masked {
      for name in try names(matching: unit.name) {
        try reporting(unit.position) { try tree.mask(name) }
      }
    }
    for unit in units {
      let name = UnitName(unit.name)
      try reporting(unit.position) {
        switch unit.state {
        case .masked: return
        case .enabled: try tree.enable(name)
        case .disabled: try tree.disable(name)
        case .asPreset:
          guard try tree.isPreset(name) else { return try tree.disable(name) }
          // A unit that others start has nothing to enable, which is all right here.
          do { try tree.enable(name) } catch UnitFailure.nothingToDo {}
        }
      }
    }
    try writePresets(units)
  }

  /// The units of a pattern; a plain name stands for itself, also where there is no such unit.
  private func names(matching pattern: String) throws -> [UnitName] {
    guard pattern.contains(where: { "*?[".contains($0) }) else { return [UnitName(pattern)] }
    let bytes = Array(pattern.utf8)
    return try tree.names().filter {
      PathPattern.matchesName(bytes[...], Array($0.text.utf8)[...])
    }
  }

  /// Says the same in a preset file, so that `systemctl preset` later changes nothing.
  private func writePresets(_ units: [Recipe.Unit]) throws {
    let lines = units.compactMap { unit -> String? in
      switch unit.state {
      case .enabled: "enable \(unit.name)\n"
      case .disabled: "disable \(unit.name)\n"
      case .masked, .asPreset: nil
      }
    }
    guard !lines.isEmpty else { return }
    let folder: FilePath = "/etc/systemd/system-preset"
    try root.makeFolders(folder)
    try root.write(
      Array(lines.sorted().joined().utf8), to: folder.appending("00-recipe.preset"))
  }
}

/// Turns what is wrong with a unit into a fault of the recipe.
func reporting(_ position: SourcePosition, _ body: () throws -> Void) throws {
  do { try body() } catch let failure as UnitFailure {
    throw switch failure {
    case .missing(let name):
      FaultyRecipe(
        at: position, "the image has no unit '\(name)'",
        hint: "add the package that brings it, or 'source'")
    case .masked(let name): FaultyRecipe(at: position, "unit '\(name)' is masked in the image")
    case .nothingToDo(let name):
      FaultyRecipe(
        at: position, "unit '\(name)' cannot be enabled: it has no [Install] section",
        hint: "say there what wants it, such as 'WantedBy=multi-user.target'")
    case .inTheWay(let path):
      FaultyRecipe(at: position, "the file '\(path)' is in the way of a link for the unit")
    case .badName(let name, let unit):
      FaultyRecipe(at: position, "'\(name)' of unit '\(unit)' is not a name for it")
    }
  }
}

/// A file of the host that the recipe names.
func hostFile(_ path: String) throws(CustomiseFailure) -> [UInt8] {
  do {
    let file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
    return try file.closeAfter {
      var bytes: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 65536)
      while true {
        let count = try buffer.withUnsafeMutableBytes { try file.read(into: $0) }
        if count == 0 { return bytes }
        bytes += buffer[..<count]
      }
    }
  } catch { throw .unreadable(path: path, reason: "\(error)") }
}
