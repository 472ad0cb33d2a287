internal import Isolation
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// What a root holds when packages are installed on top of it: configured packages of earlier
/// transactions; nothing for the first.
struct Ground: Sendable {
  /// Whether a path that is there is a folder; links to folders are none.
  private(set) var paths: [ImagePath: Bool] = [:]
  /// dpkg's database of the installed packages, as its file has it.
  private(set) var status: [UInt8] = []
  /// The version of dpkg in the root.
  private(set) var dpkgVersion: String?
  /// Paths that dpkg puts elsewhere or whose owner and mode an administrator has set.
  private(set) var overridden: Set<ImagePath> = []
  /// What the installed packages listen to.
  private(set) var interests: [TriggerInterest] = []

  var isEmpty: Bool { paths.isEmpty }

  static let empty = Ground()
  private init() {}

  /// Looks at a root; an empty folder is empty ground.
  init(in root: RootFolder) throws {
    guard try !root.names(in: "/").isEmpty else { return }
    let top = try root.openFolder(.root)
    try list(top, path: [])
    paths[.root] = true
    status = try root.contents(of: "/var/lib/dpkg/status") ?? []
    dpkgVersion = (Stanza.parse(status) ?? []).first { $0["Package"] == "dpkg" }?["Version"]
    let triggers = try root.contents(of: "/var/lib/dpkg/triggers/File") ?? []
    interests = triggers.split(separator: UInt8(ascii: "\n")).compactMap { line in
      let words = line.split(separator: UInt8(ascii: " "))
      guard words.count == 2 else { return nil }
      return TriggerInterest(
        trigger: String(decoding: words[0], as: UTF8.self),
        listener: String(decoding: words[1], as: UTF8.self))
    }
    // Three lines each: the path, where it goes, the package.
    let diversions = (try root.contents(of: "/var/lib/dpkg/diversions") ?? [])
      .split(separator: UInt8(ascii: "\n"))
    for (number, line) in diversions.enumerated() where number % 3 < 2 { override(line) }
    let overrides = try root.contents(of: "/var/lib/dpkg/statoverride") ?? []
    for line in overrides.split(separator: UInt8(ascii: "\n")) {
      override(line.split(separator: UInt8(ascii: " "), maxSplits: 3).last ?? [])
    }
  }

  /// Whether a file of a new package may be put there by plain unpacking.
  func isFree(_ path: ImagePath) -> Bool { paths[path] == nil && !overridden.contains(path) }

  private mutating func override(_ path: some Collection<UInt8>) {
    if let path = ImagePath(path) { overridden.insert(path) }
  }

  /// Lists what is in an open folder and below, and closes it.
  private mutating func list(_ folder: CInt, path: [UInt8]) throws {
    guard let stream = fdopendir(folder) else {
      let code = errno
      close(folder)
      throw RootFailure("read", FilePath(String(decoding: path, as: UTF8.self)), code)
    }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
      let isFolder = entry.pointee.d_type == UInt8(DT_DIR)
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if name == [46] || name == [46, 46] { continue }
      let child = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
      if let path = ImagePath(child) { paths[path] = isFolder }
      guard isFolder else { continue }
      let inner = openat(
        folder, name.map { CChar(bitPattern: $0) } + [0],
        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      guard inner >= 0 else {
        throw RootFailure("open", FilePath(String(decoding: child, as: UTF8.self)), errno)
      }
      try list(inner, path: child)
    }
  }
}

extension RootFolder {
  /// Takes away what came after `ground` was looked at; what was changed since stays changed.
  func clear(down ground: Ground) throws {
    func clear(_ folder: FilePath, _ path: [UInt8]) throws {
      for name in try names(in: folder) {
        let child = path.isEmpty ? name.bytes : path + [UInt8(ascii: "/")] + name.bytes
        let inner = folder.appending(name)
        switch ImagePath(child).flatMap({ ground.paths[$0] }) {
        case nil: try remove(inner)
        case true?: try clear(inner, child)
        case false?: continue
        }
      }
    }
    try clear("/", [])
  }
}
