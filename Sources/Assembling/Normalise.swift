internal import Isolation
public import Model
public import SystemPackage

/// What normalising took away or changed.
public struct NormaliseReport: Sendable, Equatable {
  /// One path and why it went.
  public struct Removal: Sendable, Equatable {
    public var path: FilePath
    public var reason: String
  }

  /// In the order of the rules, then of the names.
  public var removals: [Removal] = []
  /// How many files and folders were newer than the epoch.
  public var clamped = 0
}

/// Takes away what a build leaves behind and what belongs to one machine, so that equal inputs make
/// equal trees: see `NormaliseRule.all`. Then sets every time after `epoch` to it.
///
/// - Parameters:
///   - root: the folder of the tree.
///   - epoch: `SOURCE_DATE_EPOCH`, seconds since 1970.
public func normalise(
  _ root: FilePath, epoch: Int, events: EventSink
) throws -> NormaliseReport {
  events(.began(.normalise, total: nil, unit: .items))
  var report = try removeTraces(of: root, epoch: epoch)
  report.clamped = try clampTimes(in: root, to: epoch)
  events(.advanced(.normalise, done: report.removals.count, subject: ""))
  events(.ended(.normalise))
  return report
}

/// The first part of `normalise`: all but the times. What is as it should be is not touched.
public func removeTraces(of root: FilePath, epoch: Int) throws -> NormaliseReport {
  let folder = try RootFolder(root)
  var normaliser = Normaliser(root: folder)
  for rule in NormaliseRule.all { try normaliser.carryOut(rule) }
  try setLastChange(in: folder, epoch: epoch)
  try stampUpdates(in: folder, epoch: epoch)
  return normaliser.report
}

/// The second part of `normalise`: sets every later time to `epoch`.
///
/// - Returns: how many files and folders were newer.
public func clampTimes(in root: FilePath, to epoch: Int) throws -> Int {
  try RootFolder(root).clampTimes(to: epoch)
}

private struct Normaliser {
  let root: RootFolder
  var report = NormaliseReport()

  mutating func carryOut(_ rule: NormaliseRule) throws {
    for path in try root.paths(matching: rule.pattern) {
      switch rule.action {
      case .remove:
        try root.remove(path)
        report.removals.append(.init(path: path, reason: rule.reason))
      case .removeFiles: try removeFiles(path, rule)
      case .empty:
        guard let status = try root.status(of: path), status.kind == .file, status.size > 0
        else { continue }
        try root.write(
          [], to: path, mode: status.mode, owner: Owner(uid: status.uid, gid: status.gid))
        report.removals.append(.init(path: path, reason: rule.reason))
      }
    }
  }

  private mutating func removeFiles(_ path: FilePath, _ rule: NormaliseRule) throws {
    guard let status = try root.status(of: path) else { return }
    guard status.kind == .folder else {
      try root.removeFileOrEmptyFolder(path)
      report.removals.append(.init(path: path, reason: rule.reason))
      return
    }
    for name in try root.names(in: path) { try removeFiles(path.appending(name), rule) }
  }
}

extension RootFolder {
  /// The paths that a pattern names, in the order of their bytes; links to folders are no folders.
  func paths(matching pattern: String) throws -> [FilePath] {
    var paths: [FilePath] = ["/"]
    for part in pattern.split(separator: "/") {
      var next: [FilePath] = []
      for path in paths {
        guard part.contains(where: { "*?[".contains($0) }) else {
          let candidate = path.appending(String(part))
          if try status(of: candidate) != nil { next.append(candidate) }
          continue
        }
        guard try status(of: path)?.kind == .folder else { continue }
        let bytes = Array(part.utf8)
        for name in try names(in: path)
        // As in a shell, a star stands for no leading dot.
        where name.bytes.first != UInt8(ascii: ".") || bytes.first == UInt8(ascii: ".") {
          if PathPattern.matchesName(bytes[...], name.bytes[...]) {
            next.append(path.appending(name))
          }
        }
      }
      paths = next
    }
    return paths
  }
}

/// Sets the day of each password's last change to that of the epoch; none and 0, which means that
/// it must be changed, stay.
private func setLastChange(in root: RootFolder, epoch: Int) throws {
  guard var shadow = try AccountFile("shadow", in: root) else { return }
  let before = shadow.lines
  shadow.setField(2) { ["", "0"].contains($0[2]) ? nil : "\(epoch / 86400)" }
  if shadow.lines != before { try shadow.write(in: root) }
}

/// Tells systemd that `/etc` and `/var` are as new as `/usr`, so that a first boot updates nothing.
private func stampUpdates(in root: RootFolder, epoch: Int) throws {
  guard try root.status(of: "/usr/lib/systemd/systemd", followsLinks: true) != nil else { return }
  let text = """
    # This file was created by systemd-update-done. Its only
    # purpose is to hold a timestamp of the time this directory
    # was updated. See man:systemd-update-done.service(8).
    TIMESTAMP_NSEC=\(epoch)000000000

    """
  for folder in ["/etc", "/var"] {
    let path = FilePath(folder).appending(".updated")
    // A file that is right already stays as it is, so that it stays in its layer.
    if let status = try root.status(of: path), status.kind == .file, status.seconds == epoch,
      try root.contents(of: path) == Array(text.utf8)
    {
      continue
    }
    try root.write(Array(text.utf8), to: path)
    try root.setTime(of: path, epoch)
  }
}
