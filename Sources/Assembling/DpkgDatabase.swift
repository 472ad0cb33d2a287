internal import Isolation
internal import Model
internal import SystemPackage

/// dpkg's database of packages that are unpacked and not yet configured, as dpkg itself writes it,
/// beside those that the root has already.
///
/// Formats: deb-src `doc/` of dpkg, dpkg(1), deb-triggers(5), and what dpkg 1.21 was seen to write.
struct DpkgDatabase {
  let root: RootFolder
  let ground: Ground
  private static let folder: FilePath = "/var/lib/dpkg"

  /// Writes the whole database, or adds to the one that is there.
  ///
  /// - Parameter packages: those that are unpacked, with what unpacking told of them.
  func write(_ packages: [(deb: Deb, files: UnpackedFiles)]) throws {
    for name in ["alternatives", "info", "parts", "triggers", "updates"] {
      try root.makeFolders(path(name))
    }
    for (deb, files) in packages { try writeInfo(of: deb, files) }
    try root.write(ground.status + status(of: packages.map(\.deb)), to: path("status"))
    if ground.isEmpty {
      try root.write(Array("1\n".utf8), to: path("info/format"))
      try root.write([], to: path("available"))
    }
    try writeTriggers(of: packages.map(\.deb))
  }

  /// `info/NAME.list` and the control files, with the modes and times that their archive gave them.
  private func writeInfo(of deb: Deb, _ files: UnpackedFiles) throws {
    let name = deb.databaseName
    var list: [UInt8] = []
    for path in files.paths { list += path.listed + [UInt8(ascii: "\n")] }
    try root.write(list, to: path("info/\(name).list"))
    for file in deb.files where file.name != "control" {
      let path = path("info/\(name).\(file.name)")
      try root.write(file.content, to: path, mode: file.mode)
      try root.setTime(of: path, Int(file.modified))
    }
    guard deb.file("md5sums") == nil else { return }
    var sums: [UInt8] = []
    for (path, sum) in files.sums {
      sums += Array("\(sum)  ".utf8) + path.bytes + [UInt8(ascii: "\n")]
    }
    try root.write(sums, to: path("info/\(name).md5sums"))
  }

  private func status(of debs: [Deb]) -> [UInt8] {
    var text: [UInt8] = []
    for deb in debs.sorted(by: {
      ($0.package.name, $0.databaseName) < ($1.package.name, $1.databaseName)
    }) {
      text += statusStanza(of: deb)
    }
    return text
  }

  /// `triggers/File`, `triggers/NAME` and an empty `triggers/Unincorp`.
  private func writeTriggers(of debs: [Deb]) throws {
    var interests: [String: [String]] = [:]
    let new = debs.flatMap(\.interests)
    let (paths, names) = (new.filter(\.isPath), new.filter { !$0.isPath })
    for interest in names.sorted() {
      interests[interest.trigger, default: []].append(interest.listener)
    }
    if !paths.isEmpty {
      let lines = (ground.interests + paths).sorted().map { "\($0.trigger) \($0.listener)\n" }
      try root.write(Array(lines.joined().utf8), to: path("triggers/File"))
    }
    for (trigger, listeners) in interests {
      let file = path("triggers/\(trigger)")
      let old = String(decoding: try root.contents(of: file) ?? [], as: UTF8.self)
        .split(separator: "\n").map(String.init)
      let text = (old + listeners).sorted().map { $0 + "\n" }.joined()
      try root.write(Array(text.utf8), to: file)
    }
    try root.write([], to: path("triggers/Unincorp"))
  }

  private func path(_ name: String) -> FilePath { Self.folder.appending(name) }
}

/// An interest in a trigger, as a package's `triggers` file declares it.
struct TriggerInterest: Comparable, Sendable {
  /// A name, or the absolute path of a file trigger.
  var trigger: String
  /// The package, with `/noawait` where nobody waits for it.
  var listener: String

  var package: String { String(listener.prefix { $0 != "/" }) }
  var isPath: Bool { trigger.hasPrefix("/") }

  static func < (left: Self, right: Self) -> Bool {
    (left.trigger, left.listener) < (right.trigger, right.listener)
  }
}

extension Deb {
  /// The triggers that this package wants to hear of.
  var interests: [TriggerInterest] {
    let text = String(decoding: file("triggers") ?? [], as: UTF8.self)
    return text.split(separator: "\n").compactMap { line in
      let words = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" }
      guard words.count == 2, words[0].hasPrefix("interest") else { return nil }
      let suffix = words[0] == "interest-noawait" ? "/noawait" : ""
      return TriggerInterest(trigger: String(words[1]), listener: databaseName + suffix)
    }
  }
}

/// The order in which dpkg writes the fields that it knows; all others follow in their own order.
private let knownFields = [
  "Package", "Essential", "Protected", "Status", "Priority", "Section", "Installed-Size", "Origin",
  "Maintainer", "Bugs", "Architecture", "Multi-Arch", "Source", "Version", "Replaces", "Provides",
  "Depends", "Pre-Depends", "Recommends", "Suggests", "Breaks", "Conflicts", "Enhances",
  "Conffiles",
  "Description",
]

private func statusStanza(of deb: Deb) -> [UInt8] {
  var text: [UInt8] = []
  func add(_ name: String, _ value: [UInt8]) {
    text += Array(name.utf8) + Array(value.first == UInt8(ascii: "\n") ? ":".utf8 : ": ".utf8)
    text += value + [UInt8(ascii: "\n")]
  }
  for name in knownFields {
    switch name {
    case "Status": add(name, Array("install ok unpacked".utf8))
    case "Conffiles":
      guard !deb.conffiles.isEmpty else { continue }
      add(
        name, deb.conffiles.flatMap { Array("\n ".utf8) + $0.listed + Array(" newconffile".utf8) })
    case "Essential", "Protected":
      if let value = deb.control.value(of: name), deb.control[name] != "no" { add(name, value) }
    case "Multi-Arch":
      if let value = deb.control.value(of: name), deb.control[name] != "no" { add(name, value) }
    default:
      if let value = deb.control.value(of: name) { add(name, value) }
    }
  }
  for field in deb.control.fields
  where !knownFields.contains(where: { isSame($0, field.name) }) {
    add(field.name, field.value)
  }
  return text + [UInt8(ascii: "\n")]
}
