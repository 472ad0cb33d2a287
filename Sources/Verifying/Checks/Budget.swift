internal import Model

/// The image leaves as much room as its recipe asks for.
struct BudgetCheck: Check {
  let name = "budget"

  func findings(in subject: Subject) throws -> [Finding] {
    guard let budget = subject.recipe?.budget else { throw NotJudged("the recipe has no [budget]") }
    guard let volume = subject.volume else { throw NotJudged("only a tree is judged") }
    var findings: [Finding] = []
    if let free = budget.free, volume.free < free {
      findings.append(
        finding(
          "",
          "\(mebibytes(volume.free)) are free for an ordinary user, the recipe asks for "
            + "\(mebibytes(free))\n" + largest(subject),
          hint: "make the image larger or leave something out"))
    }
    if let inodes = budget.freeInodes, volume.freeInodes < inodes {
      findings.append(
        finding(
          "", "\(volume.freeInodes) inodes are free, the recipe asks for \(inodes)",
          hint: "make the image larger or leave something out"))
    }
    return findings
  }

  /// The packages and folders that take most, ten of each.
  private func largest(_ subject: Subject) -> String {
    var lines: [String] = []
    // Without the database there are no packages to name.
    let packages = ((try? subject.text("/var/lib/dpkg/status")) ?? nil).map(installedSizes) ?? []
    if !packages.isEmpty {
      lines.append("  the largest packages:")
      lines += packages.prefix(10).map { "    \(mebibytes($0.size))  \($0.name)" }
    }
    var folders: [String: Int] = [:]
    var seen: Set<Int> = []
    for entry in subject.files.tree.entries {
      guard case .file(let file) = subject.files.tree.nodes[entry.node].kind,
        seen.insert(entry.node).inserted
      else { continue }
      let parts = shown(entry.path).split(separator: "/").dropLast().prefix(3)
      folders["/" + parts.joined(separator: "/"), default: 0] += Int(file.size)
    }
    lines.append("  the largest folders:")
    lines += folders.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(10)
      .map { "    \(mebibytes($0.value))  \($0.key)" }
    return lines.joined(separator: "\n")
  }

  private func installedSizes(_ status: String) -> [(name: String, size: Int)] {
    var sizes: [(name: String, size: Int)] = []
    var name = ""
    for line in status.split(separator: "\n") {
      if line.hasPrefix("Package: ") { name = String(line.dropFirst(9)) }
      if line.hasPrefix("Installed-Size: "), let size = Int(line.dropFirst(16)) {
        sizes.append((name, size << 10))
      }
    }
    return sizes.sorted { ($1.size, $0.name) < ($0.size, $1.name) }
  }
}

private func mebibytes(_ bytes: Int) -> String {
  let tenths = (bytes * 10) >> 20
  return "\(tenths / 10).\(tenths % 10) MiB"
}
