import Assembling
import Content
import Foundation
import Isolation
import Model
import Support
import SystemPackage
import Testing

/// The same debs, installed by this package and by mmdebstrap, must give the same tree, but for what
/// `expected-differences.txt` explains.
///
/// `COMPARED_PACKAGES="chromium novnc …"` in the environment compares others.
@Suite(
  "Beside mmdebstrap",
  .enabled(
    if: isLong && isRoot && hasTool("mmdebstrap") && hasTool("apt-get"),
    "needs BUILD_SNAPSHOT_LONG_TESTS=1, root, mmdebstrap and this machine's mirror"))
struct ComparisonTests {
  static let epoch = 1_760_000_000
  static let packages =
    ProcessInfo.processInfo.environment["COMPARED_PACKAGES"]?.split(separator: " ").map(String.init)
    ?? [
      "systemd", "systemd-sysv", "dbus", "udev", "openssh-server", "python3", "ca-certificates",
      "fontconfig",
    ]

  @Test("the tree is the same")
  func sameTree() async throws {
    let scratch = try TemporaryFolder()
    let debs = try HostDebs(installing: Self.packages)
    let theirs = scratch / "theirs"
    try runMmdebstrap(debs, into: theirs)
    let ours = scratch / "ours"
    try FileManager.default.createDirectory(atPath: ours.string, withIntermediateDirectories: true)
    let sandbox = Sandbox(root: ours)
    let names = Set(debs.locked.packages.map(\.name))
    // In two transactions, as a recipe with two files makes them.
    for isEssential in [true, false] {
      try await installPackages(
        debs.locked.packages.filter { $0.isEssential == isEssential },
        from: DebSupply(debs.locked.store, jobs: 2),
        in: sandbox, options: InstallOptions(manual: names, epoch: Self.epoch, jobs: 2),
        events: { _ in }
      ) { try lockAccounts(of: theirs, in: ours) }
    }
    let findings = try packageFindings(in: sandbox)
    #expect(findings.isEmpty, "\(findings)")
    for root in [ours, theirs] { _ = try normalise(root, epoch: Self.epoch, events: { _ in }) }

    let expected = try ExpectedDifferences()
    let unexpected = try differences(ours, theirs).filter { !expected.explain($0) }
    #expect(unexpected.isEmpty, "\(unexpected.joined(separator: "\n"))")
  }

  private func runMmdebstrap(_ debs: HostDebs, into root: FilePath) throws {
    let names = debs.locked.packages.map(\.name).joined(separator: ",")
    // Its scripts see the caller's environment; PYTHONDONTWRITEBYTECODE, say, would change the tree.
    _ = try runTool(
      "env",
      [
        "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
        "SOURCE_DATE_EPOCH=\(Self.epoch)", "mmdebstrap", "--mode=root", "--variant=essential",
        "--include=\(names)", "--format=directory",
        "--setup-hook=/usr/share/mmdebstrap/hooks/merged-usr/setup00.sh", "", root.string,
        "deb [trusted=yes] copy:\(debs.folder) ./",
      ]
    ).succeeded()
  }

  /// Gives users and groups of packages the numbers that they got elsewhere, as a recipe can.
  private func lockAccounts(of other: FilePath, in root: FilePath) throws {
    for name in ["passwd", "group"] {
      let path = root.appending("etc/\(name)").string
      let present = try String(contentsOfFile: path, encoding: .utf8)
      let wanted = try String(
        contentsOfFile: other.appending("etc/\(name)").string, encoding: .utf8
      ).split(separator: "\n").filter { line in
        let fields = line.split(separator: ":", omittingEmptySubsequences: false)
        return !present.contains("\n\(fields[0]):") && fields[0] != "root"
      }
      try (present + wanted.map { $0 + "\n" }.joined()).write(
        toFile: path, atomically: false, encoding: .utf8)
    }
  }

  /// One line per path and field: `content /etc/group`, `only ours /var/lib/dpkg/available`.
  private func differences(_ ours: FilePath, _ theirs: FilePath) throws -> [String] {
    let (left, right) = (try facts(of: ours), try facts(of: theirs))
    var lines: [String] = []
    for path in Set(left.keys).union(right.keys) {
      guard let ours = left[path] else {
        lines.append("only theirs \(path)")
        continue
      }
      guard let theirs = right[path] else {
        lines.append("only ours \(path)")
        continue
      }
      for field in Set(ours.keys).union(theirs.keys) where ours[field] != theirs[field] {
        lines.append("\(field) \(path): \(ours[field] ?? "none"), \(theirs[field] ?? "none")")
      }
    }
    return lines.sorted()
  }

  /// What a tree holds, by path: fields and their values. Times of folders are left out: dpkg leaves
  /// those that unpacking made, we those that the package has.
  private func facts(of root: FilePath) throws -> [String: [String: String]] {
    let script = """
      import os, stat, sys, hashlib
      for folder, folders, files in os.walk(b'.'):
        for name in folders + files:
          path = os.path.join(folder, name)
          status = os.lstat(path)
          kind = stat.S_IFMT(status.st_mode)
          fields = {'kind': kind, 'mode': oct(stat.S_IMODE(status.st_mode)),
            'owner': '%d:%d' % (status.st_uid, status.st_gid)}
          for attribute in os.listxattr(path, follow_symlinks=False):
            fields[attribute] = os.getxattr(path, attribute, follow_symlinks=False).hex()
          if kind != stat.S_IFDIR: fields['time'], fields['links'] = int(status.st_mtime), status.st_nlink
          if kind == stat.S_IFLNK: fields['target'] = os.readlink(path)
          if kind == stat.S_IFREG: fields['content'] = hashlib.sha256(open(path, 'rb').read()).hexdigest()
          for field, value in fields.items():
            sys.stdout.buffer.write(b'%s\\t%s\\t%s\\n' % (path[1:], field.encode(),
              value if isinstance(value, bytes) else str(value).encode()))
      """
    let output = try runTool("python3", ["-c", script], folder: root.string).succeeded().output
    var facts: [String: [String: String]] = [:]
    for line in output.split(separator: "\n") {
      let parts = line.split(separator: "\t", maxSplits: 2).map(String.init)
      guard parts.count == 3 else { continue }
      facts[parts[0], default: [:]][parts[1]] = parts[2]
    }
    return facts
  }
}

/// The patterns of `expected-differences.txt`: a difference that begins as a line says is expected.
private struct ExpectedDifferences {
  private var patterns: [String] = []

  init() throws {
    patterns = try String(contentsOf: fixture("expected-differences.txt"), encoding: .utf8).split(
      separator: "\n"
    )
    .map(String.init).filter { !$0.hasPrefix("#") }
  }

  func explain(_ difference: String) -> Bool {
    patterns.contains { pattern in
      pattern.hasSuffix("*")
        ? difference.hasPrefix(pattern.dropLast())
        : difference == pattern || difference.hasPrefix(pattern + ":")
    }
  }
}
