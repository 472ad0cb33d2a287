internal import Model
internal import SystemPackage

/// systemd will take the units as they are meant: files that read, programs that exist, links that
/// lead to units, and an order without a cycle.
struct UnitsCheck: Check {
  let name = "units"
  private static let folders = ["/etc/systemd/system", "/usr/lib/systemd/system"]

  func findings(in subject: Subject) throws -> [Finding] {
    guard subject.files.resolve("/usr/lib/systemd/system") != nil else {
      throw NotJudged("there is no systemd in it")
    }
    var findings = try links(subject)
    var units: [String: UnitText] = [:]
    for (name, path) in enabled(subject) {
      guard let text = try subject.text(path) else { continue }
      let unit = UnitText(text)
      units[name] = unit
      findings += unit.faults.map { finding(path, $0) }
      for program in startedPrograms(text) where !exists(program, subject) {
        findings.append(
          finding(
            path, "starts '\(program)', which is not in the image or cannot be executed",
            hint: "the unit would fail at every boot"))
      }
    }
    if let cycle = cycle(in: units) {
      findings.append(
        finding(
          cycle[0], "waits for itself: \(cycle.joined(separator: " after "))",
          hint: "systemd would leave one of them out by chance"))
    }
    return findings + (try verdictOfSystemd(subject))
  }

  private func exists(_ program: String, _ subject: Subject) -> Bool {
    let places =
      program.hasPrefix("/")
      ? [program]
      : ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"].map { "\($0)/\(program)" }
    return places.contains { path in
      guard let found = subject.files.resolve(path) else { return false }
      let node = subject.files.tree.nodes[found.node]
      guard case .file = node.kind else { return false }
      return node.mode & 0o111 != 0
    }
  }

  /// Links of `*.wants` and `*.requires`: each must lead to a unit, and to the one it is named for.
  private func links(_ subject: Subject) throws -> [Finding] {
    subject.files.entries(below: "etc/systemd/system").compactMap { entry in
      guard case .symlink(let target) = subject.files.tree.nodes[entry.node].kind else {
        return nil
      }
      let path = shown(entry.path)
      let text = String(decoding: target, as: UTF8.self)
      if text == "/dev/null" { return nil }
      guard path.contains(".wants/") || path.contains(".requires/") else {
        return subject.files.resolve(entry.path) == nil
          ? finding(path, "leads to '\(text)', which is not in the image") : nil
      }
      let name = path.split(separator: "/").last.map(String.init) ?? ""
      let wanted = Self.folders.contains { subject.files.resolve("\($0)/\(template(name))") != nil }
      if subject.files.resolve(entry.path) == nil, !wanted {
        return finding(
          path, "enables a unit that is not in the image (it leads to '\(text)')",
          hint: "disable it, or bring the unit")
      }
      return nil
    }
  }

  private func template(_ name: String) -> String {
    guard let at = name.firstIndex(of: "@"), let dot = name.lastIndex(of: ".") else { return name }
    return String(name[...at] + name[dot...])
  }

  /// The units that the recipe or a package put into /etc or enabled there, and where their files are.
  private func enabled(_ subject: Subject) -> [(name: String, path: String)] {
    var names: Set<String> = []
    for entry in subject.files.entries(below: "etc/systemd/system") {
      let path = shown(entry.path)
      let node = subject.files.tree.nodes[entry.node]
      if case .directory = node.kind { continue }
      if path.contains(".d/") { continue }
      if case .symlink(let target) = node.kind,
        String(decoding: target, as: UTF8.self) == "/dev/null"
      {
        continue
      }
      if let name = path.split(separator: "/").last { names.insert(String(name)) }
    }
    return names.sorted().compactMap { name in
      let places = Self.folders.flatMap { ["\($0)/\(name)", "\($0)/\(template(name))"] }
      return places.first {
        guard let found = subject.files.resolve($0) else { return false }
        if case .file = subject.files.tree.nodes[found.node].kind { return true }
        return false
      }.map { (name, $0) }
    }
  }

  private func cycle(in units: [String: UnitText]) -> [String]? {
    var after: [String: Set<String>] = [:]
    for (name, unit) in units {
      for other in unit.after where units[other] != nil { after[name, default: []].insert(other) }
      for other in unit.before where units[other] != nil { after[other, default: []].insert(name) }
    }
    var done: Set<String> = []
    func search(_ name: String, _ trail: [String]) -> [String]? {
      if let start = trail.firstIndex(of: name) { return Array(trail[start...]) + [name] }
      guard !done.contains(name) else { return nil }
      for other in (after[name] ?? []).sorted() {
        if let found = search(other, trail + [name]) { return found }
      }
      done.insert(name)
      return nil
    }
    for name in units.keys.sorted() { if let found = search(name, []) { return found } }
    return nil
  }

  /// What `systemd-analyze verify` says where there is one, and a folder for it to look at.
  private func verdictOfSystemd(_ subject: Subject) throws -> [Finding] {
    guard let root = subject.root, let program = HostTool.path("systemd-analyze"),
      // Packages bring units whether or not systemd is there to read them.
      subject.files.resolve("/usr/lib/systemd/systemd") != nil
    else { return [] }
    let own = subject.files.entries(below: "etc/systemd/system").filter { entry in
      guard case .file = subject.files.tree.nodes[entry.node].kind else { return false }
      return entry.path.count { $0 == UInt8(ascii: "/") } == 3
        && String(decoding: entry.path, as: UTF8.self).hasSuffix(".service")
    }.map { shown($0.path) }
    let result = try HostTool.run(
      [program, "verify", "--man=no", "--generators=no", "--root=\(root)"] + own
        + ["default.target"], folder: root.string)
    if result.text.contains("unrecognized option") { return [] }
    return result.text.split(separator: "\n").map(String.init)
      .filter { !$0.isEmpty && !Self.isNoise($0) }
      .map {
        finding("", "systemd-analyze: \($0)", severity: result.status == 0 ? .warning : .error)
      }
  }

  private static func isNoise(_ line: String) -> Bool {
    line.contains("Failed to initialize manager") || line.contains("Proceeding WITHOUT")
      || line.contains("legacy directory /var/run/")
  }
}

/// The lines of a unit file that say what it waits for. Source: systemd.syntax(7).
struct UnitText: Sendable, Equatable {
  var after: [String] = []
  var before: [String] = []
  var faults: [String] = []

  init(_ text: String) {
    var section = ""
    for line in text.replacing("\\\n", with: " ").split(separator: "\n") {
      let line = line.drop(while: \.isWhitespace)
      guard let first = line.first, first != "#", first != ";" else { continue }
      if first == "[" {
        let name = line.dropFirst().prefix { $0 != "]" }
        if !line.contains("]") || name.isEmpty {
          faults.append("has a section that does not end: '\(line)'")
        }
        section = String(name)
        continue
      }
      guard let equals = line.firstIndex(of: "=") else {
        faults.append("has a line that is neither a section nor a setting: '\(line)'")
        continue
      }
      if section.isEmpty { faults.append("has a setting before its first section: '\(line)'") }
      guard section == "Unit" else { continue }
      let key = line[..<equals].filter { !$0.isWhitespace }
      let names = line[line.index(after: equals)...].split(whereSeparator: \.isWhitespace).map(
        String.init)
      if key == "After" { after = names.isEmpty ? [] : after + names }
      if key == "Before" { before = names.isEmpty ? [] : before + names }
    }
  }
}
