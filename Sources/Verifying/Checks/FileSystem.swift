internal import Model
internal import SystemPackage

/// The system's own e2fsck finds nothing to repair.
struct FsckCheck: Check {
  let name = "fsck"

  func findings(in subject: Subject) throws -> [Finding] {
    guard let program = HostTool.path("e2fsck") else { throw NotJudged("there is no e2fsck here") }
    let result = try HostTool.run([program, "-fn", subject.disk.string], timeLimit: .seconds(300))
    if result.status == 0 { return [] }
    let said = result.text.split(separator: "\n").map(String.init)
    if said.contains(where: { $0.contains("unsupported feature") }) {
      throw NotJudged("this machine's e2fsck is older than the image's features")
    }
    let faults = said.filter { line in
      !line.hasPrefix("e2fsck ") && !line.hasPrefix("Pass ") && !line.isEmpty
    }
    return faults.prefix(10).map { finding("", $0) }
      + (faults.isEmpty ? [finding("", "e2fsck ended with status \(result.status)")] : [])
  }
}

/// The file system is one that no machine has used, and that costs a clone nothing to take over.
struct PristineCheck: Check {
  let name = "pristine"

  func findings(in subject: Subject) throws -> [Finding] {
    guard let volume = subject.volume else { throw NotJudged("only a tree is judged") }
    var findings: [Finding] = []
    if volume.groupsToZero > 0 {
      let cost = (volume.groupsToZero * volume.inodeTableSize) >> 20
      findings.append(
        finding(
          "",
          "\(volume.groupsToZero) of \(volume.groups) inode tables are not marked as zeroed: "
            + "every clone would write \(cost) MiB of zeros to its disk",
          hint: "make it with 'mke2fs -E lazy_itable_init=0'",
          severity: .error))
    }
    if volume.mounts > 0 {
      findings.append(
        finding(
          "", "it has been mounted \(volume.mounts) times and may have been written to",
          severity: .warning))
    }
    if volume.needsRecovery {
      findings.append(
        finding("", "its journal waits to be replayed: it was in use when it was copied"))
    }
    return findings
  }
}
