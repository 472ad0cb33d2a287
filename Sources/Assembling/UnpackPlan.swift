/// In which order packages are installed, and which of them need real dpkg to be unpacked.
///
/// Pure: made from the control parts alone. It cannot see conflicts of links and folders, which only
/// the data part names; unpacking finds them and plans again with `throughDpkg` enlarged.
struct UnpackPlan: Sendable {
  /// In the order in which dpkg would unpack them here: `base-files` and `base-passwd`, then the
  /// other essential packages by name, then all others by name.
  let debs: [Deb]
  /// Positions in `debs` of the packages that go through `dpkg --unpack`, once the others are there:
  /// a preinst that diverts files or overrides their owners, or a file that is in the root, or that an
  /// earlier package has.
  private(set) var throughDpkg: Set<Int>
  /// The folders of the top level that are links into `/usr`.
  let merged: [String]

  init(_ debs: [Deb], architecture: String, on ground: Ground) {
    self.debs = debs.sorted { UnpackPlan.rank($0) < UnpackPlan.rank($1) }
    merged = ImagePath.mergedFolders(architecture: architecture)
    throughDpkg = []
    let aliases = Set(merged.map { Array($0.utf8) })
    var owners: [ImagePath: Int] = [:]
    for (index, deb) in self.debs.enumerated() {
      if deb.hasDivertingPreinst { throughDpkg.insert(index) }
      for path in deb.knownFiles.map({ $0.unaliased(merged: aliases) }) {
        if owners[path, default: index] != index || !ground.isFree(path) {
          throughDpkg.insert(index)
        } else {
          owners[path] = index
        }
      }
    }
  }

  /// Sends more packages through dpkg.
  mutating func send(throughDpkg more: Set<Int>) { throughDpkg.formUnion(more) }

  private static func rank(_ deb: Deb) -> (Int, String, String) {
    let group =
      switch deb.package.name {
      case "base-files": 0
      case "base-passwd": 1
      default: deb.package.isEssential ? 2 : 3
      }
    return (group, deb.package.name, deb.package.architecture)
  }
}

extension Deb {
  /// Whether the preinst names a tool that changes where dpkg puts files, outside a comment.
  fileprivate var hasDivertingPreinst: Bool {
    guard let script = file("preinst") else { return false }
    return script.split(separator: UInt8(ascii: "\n")).contains { line in
      let text = String(decoding: line.drop { $0 == 32 || $0 == 9 }, as: UTF8.self)
      return !text.hasPrefix("#")
        && (text.contains("dpkg-divert") || text.contains("dpkg-statoverride"))
    }
  }

  /// The files that the control part names: those with an MD5 sum and the configuration files.
  fileprivate var knownFiles: Set<ImagePath> {
    let sums = (file("md5sums") ?? []).split(separator: UInt8(ascii: "\n"))
    return Set(sums.compactMap { $0.count > 34 ? ImagePath($0.dropFirst(34)) : nil } + conffiles)
  }
}
