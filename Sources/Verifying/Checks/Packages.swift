/// dpkg's database is whole: every package installed and configured, and its list of files there.
struct PackagesCheck: Check {
  let name = "packages"

  func findings(in subject: Subject) throws -> [Finding] {
    guard let status = try subject.text("/var/lib/dpkg/status", limit: 64 << 20) else {
      throw NotJudged("there is no database of dpkg")
    }
    var findings: [Finding] = []
    let missing = Set(missingFiles(subject))
    for stanza in status.split(separator: "\n\n") {
      var fields: [Substring: Substring] = [:]
      for line in stanza.split(separator: "\n") where line.first != " " {
        guard let colon = line.firstIndex(of: ":") else { continue }
        fields[line[..<colon]] = line[line.index(after: colon)...].drop { $0 == " " }
      }
      guard let package = fields["Package"] else {
        findings.append(finding("/var/lib/dpkg/status", "has a stanza without a package"))
        continue
      }
      let state = fields["Status"] ?? "none"
      if state.hasSuffix("deinstall ok config-files") { continue }
      if !state.hasSuffix("ok installed") {
        findings.append(finding(String(package), "is '\(state)', not installed"))
        continue
      }
      let name = fields["Architecture"].map { "\(package):\($0)" } ?? String(package)
      let lists = [String(package), name].map { "/var/lib/dpkg/info/\($0).list" }
      guard let list = try lists.lazy.compactMap({ try subject.text($0) }).first else {
        findings.append(finding(String(package), "has no list of its files"))
        continue
      }
      for path in list.split(separator: "\n")
      where path != "/." && subject.files.resolve(Array(path.utf8), followsLast: false) == nil {
        // What normalising removes belongs to packages as well.
        if missing.contains(where: { path.hasPrefix($0) }) { continue }
        findings.append(
          finding(
            String(path), "belongs to package '\(package)' and is missing", severity: .warning))
      }
    }
    return findings.count > 200 ? Array(findings.prefix(200)) : findings
  }

  /// Folders whose content images leave out.
  private func missingFiles(_ subject: Subject) -> [Substring] {
    [
      "/usr/share/doc/", "/usr/share/man/", "/usr/share/info/", "/usr/share/locale/", "/var/cache/",
      "/var/log/", "/var/lib/apt/", "/usr/share/lintian/", "/run/", "/tmp/", "/etc/",
    ]
  }
}
