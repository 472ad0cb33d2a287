internal import Model

/// What the image holds is what was meant: every name with its kind, mode, owner, time, attributes,
/// links and content.
struct SameTreeCheck: Check {
  let name = "tree"

  func findings(in subject: Subject) throws -> [Finding] {
    guard let meant = subject.meant else {
      throw NotJudged("the tree that it was made of is not there to compare with")
    }
    let tree = subject.files.tree
    let wanted = Dictionary(meant.entries.map { ($0.path, $0.node) }) { first, _ in first }
    var findings: [Finding] = []
    // The first name of each node stands for it: equal groups of names are equal links.
    let ours = leaders(tree)
    let theirs = leaders(meant)
    for entry in tree.entries {
      guard let other = wanted[entry.path] else {
        if entry.path != Array("lost+found".utf8) {
          findings.append(finding(shown(entry.path), "is in the image and was not meant to be"))
        }
        continue
      }
      let faults = differences(
        tree.nodes[entry.node], meant.nodes[other], epoch: subject.epoch)
      findings += faults.map { finding(shown(entry.path), $0) }
      if ours[entry.node] != theirs[other] {
        findings.append(
          finding(shown(entry.path), "is not the same file as it should be: its links differ"))
      }
    }
    for entry in meant.entries where subject.files.node(entry.path) == nil {
      findings.append(finding(shown(entry.path), "is missing from the image"))
    }
    let paths = firstPaths(of: subject)
    findings += subject.survey.differing.map {
      finding(paths[$0], "has another content than was meant")
    }
    return findings
  }

  private func leaders(_ tree: Tree) -> [[UInt8]] {
    var leaders = [[UInt8]](repeating: [], count: tree.nodes.count)
    for entry in tree.entries.reversed() { leaders[entry.node] = entry.path }
    return leaders
  }

  private func differences(_ found: Tree.Node, _ meant: Tree.Node, epoch: Int?) -> [String] {
    var faults: [String] = []
    func compare(_ what: String, _ found: String, _ meant: String) {
      if found != meant { faults.append("has \(what) \(found), not \(meant)") }
    }
    switch (found.kind, meant.kind) {
    case (.file(let found), .file(let meant)): compare("size", "\(found.size)", "\(meant.size)")
    case (let found, let meant) where found != meant: return ["is \(found), not \(meant)"]
    default: break
    }
    compare("mode", String(found.mode, radix: 8), String(meant.mode, radix: 8))
    compare("owner", "\(found.uid):\(found.gid)", "\(meant.uid):\(meant.gid)")
    if found.xattrs != meant.xattrs { faults.append("has other attributes than were meant") }
    var time = meant.modified
    if let epoch, time.seconds >= Int64(epoch) { time = Tree.Time(seconds: Int64(epoch)) }
    compare(
      "time", "\(found.modified.seconds).\(found.modified.nanoseconds)",
      "\(time.seconds).\(time.nanoseconds)")
    return faults
  }
}
