/// No content of a file is a secret, and no trace of whoever built the image is in it.
struct SecretsCheck: Check {
  let name = "secrets"

  func findings(in subject: Subject) throws -> [Finding] {
    var findings: [Finding] = []
    var told: Set<String> = []
    let paths = firstPaths(of: subject)
    for hit in subject.survey.hits where hit.pattern < SecretForm.all.count {
      let form = SecretForm.all[hit.pattern]
      // Libraries have keys to test themselves with: a key of someone's lies in a file that is read.
      if hit.pattern == 0, try subject.content.bytes(of: hit.node, limit: 4) == ELF.magic {
        continue
      }
      let path = paths[hit.node]
      guard told.insert("\(path) \(form.name)").inserted else { continue }
      findings.append(
        finding(
          path, "holds \(form.name)",
          hint: "give secrets to a clone when it boots; if this is none, name it in an [[allow]]"))
    }
    return findings
  }
}

/// Nothing in the image names the machine that built it.
struct TracesCheck: Check {
  let name = "build-traces"

  func findings(in subject: Subject) throws -> [Finding] {
    let names = traces(of: subject.builder)
    guard !names.isEmpty else { throw NotJudged("the machine that built it is not known") }
    let paths = firstPaths(of: subject)
    var findings: [Finding] = []
    var told: Set<String> = []
    for hit in subject.survey.hits where hit.pattern >= SecretForm.all.count {
      let name = names[hit.pattern - SecretForm.all.count]
      let isHost = name == subject.builder.hostName
      let path = paths[hit.node]
      // A host's name may be a word of any text; only configuration and state mean the host by it.
      if isHost, !path.hasPrefix("/etc/"), !path.hasPrefix("/var/") { continue }
      guard told.insert("\(path) \(name)").inserted else { continue }
      findings.append(
        finding(
          path, isHost ? "names the build machine '\(name)'" : "names the build's folder '\(name)'",
          hint: "the image would differ when another machine builds it"))
    }
    return findings
  }
}

/// The first path of each node, as messages show it.
func firstPaths(of subject: Subject) -> [String] {
  var paths = [String](repeating: "", count: subject.files.tree.nodes.count)
  for entry in subject.files.tree.entries where paths[entry.node].isEmpty {
    paths[entry.node] = shown(entry.path)
  }
  return paths
}
