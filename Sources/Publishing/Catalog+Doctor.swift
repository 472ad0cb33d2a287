internal import Content
internal import Glibc
public import Model
internal import SystemPackage

extension Catalog {
  /// Looks for everything that is not as it should be; changes nothing.
  ///
  /// - Parameter isDeep: hashes every file of every release; otherwise only those whose time says that
  ///   they were written to after publishing.
  ///
  /// What a live writer is busy with is no finding: each image's part is read under its lock, where
  /// the caller may take it.
  public func examine(isDeep: Bool = false) throws(CatalogFailure) -> [Finding] {
    var findings: [Finding] = []
    let staging = store.appending("staging")
    for name in try names(in: staging) where isUnused(staging.appending(name)) == true {
      findings.append(Finding(image: nil, path: staging.appending(name), fault: .debris))
    }
    for image in try images() {
      findings += try examinePointer(image)
      for version in try versionsOnDisk(image) where version <= (try lastVersion(image)) {
        findings += try examine(image, version, isDeep: isDeep)
      }
    }
    return findings
  }

  /// Mends what can be mended without losing anything that was ever published.
  ///
  /// - Returns: what was found before; `examine` tells what is left.
  public func repair(at now: Timestamp, isDeep: Bool = false) throws -> [Finding] {
    let findings = try examine(isDeep: isDeep)
    try sweep(store.appending("staging"))
    for image in try images() {
      let ours = findings.filter { $0.image == image }
      let lock = try WriterLock(folder(of: image).appending(".lock"))
      defer { withExtendedLifetime(lock) {} }
      try makeFolders(folder(of: image).appending("history"))
      for finding in ours { try repairRelease(finding, at: now) }
      try repairPointer(image, at: now)
      try recover(image)
      let trash = folder(of: image).appending("trash")
      for name in try names(in: trash) { removeAll(trash.appending(name)) }
    }
    return findings
  }

  /// Pointer, links and debris of an image.
  private func examinePointer(_ image: String) throws(CatalogFailure) -> [Finding] {
    let folder = folder(of: image)
    // A reader without the right to write looks without the lock.
    let lock = try? WriterLock(folder.appending(".lock"))
    defer { withExtendedLifetime(lock) {} }
    var findings: [Finding] = []
    func note(_ path: FilePath, _ fault: Finding.Fault) {
      findings.append(Finding(image: image, path: path, fault: fault))
    }
    for parent in temporaryPlaces(image) {
      for name in try names(in: parent) where name.hasPrefix(".tmp-") {
        note(parent.appending(name), .debris)
      }
    }
    let trash = folder.appending("trash")
    for name in try names(in: trash) { note(trash.appending(name), .debris) }

    let path = folder.appending("latest.json")
    do {
      if let pointer = try pointer(image) {
        if let fault = try fault(of: pointer) { note(path, fault) }
        for version in try versionsOnDisk(image) where version > pointer.lastVersion {
          note(folder.appending(version.description), .unfinished(version))
        }
        for (link, target) in try laggingLinks(image) { note(link, .laggingLink(to: target)) }
      } else if try !versionsOnDisk(image).isEmpty {
        note(path, .lostPointer)
      }
    } catch .damaged(path, let reason) {
      note(path, .damagedPointer(reason))
    }
    return findings
  }

  private func fault(of pointer: Pointer) throws(CatalogFailure) -> Finding.Fault? {
    guard isWhole(pointer.image, pointer.version) else { return .danglingPointer(pointer.version) }
    guard try release(pointer.image, pointer.version).manifestHash == pointer.manifest.sha256 else {
      return .otherManifest(pointer.version)
    }
    return try quarantined(pointer.image).contains { $0.version == pointer.version }
      ? .quarantinedCurrent(pointer.version) : nil
  }

  /// The files of a release.
  private func examine(
    _ image: String, _ version: Version, isDeep: Bool
  ) throws(CatalogFailure) -> [Finding] {
    var findings: [Finding] = []
    func note(_ path: FilePath, _ fault: Finding.Fault) {
      findings.append(Finding(image: image, path: path, fault: fault))
    }
    let release: Release
    do {
      release = try self.release(image, version)
    } catch .damaged(let path, let reason) {
      note(path, .damagedManifest(version, reason))
      return findings
    }
    let manifestTime = try status(of: release.folder.appending(Manifest.fileName)).st_mtim
    for file in release.files {
      let path = release.folder.appending(file.name)
      guard exists(path) else {
        note(path, .missingFile(version))
        continue
      }
      let status = try status(of: path)
      if status.st_mode & 0o222 != 0 {
        note(path, .writable(version, mode: Int(status.st_mode & 0o7777)))
      }
      if Int(status.st_size) != file.size {
        note(
          path,
          .changed(version, expected: "\(file.size) bytes", actual: "\(status.st_size) bytes"))
      } else if isDeep || isLater(status.st_mtim, manifestTime) {
        guard let actual = try? ContentHash(ofFile: path) else { continue }  // gone meanwhile
        if actual != file.hash {
          note(path, .changed(version, expected: "sha256 \(file.hash)", actual: "\(actual)"))
        }
      }
    }
    let mode = try status(of: release.folder).st_mode
    if mode & 0o222 != 0 {
      note(release.folder, .writable(version, mode: Int(mode & 0o7777)))
    }
    return findings
  }

  private func repairRelease(_ finding: Finding, at now: Timestamp) throws {
    guard let image = finding.image else { return }
    switch finding.fault {
    case .writable(_, let mode):
      let path = finding.path
      try call("set the mode of", path) { chmod(path.string, mode_t(mode & ~0o222)) }
    case .changed(let version, _, _), .missingFile(let version):
      if try !quarantined(image).contains(where: { $0.version == version }) {
        try mark(image, version, in: "quarantine", "damaged: \(finding.path)", now)
      }
    default: return
    }
  }

  /// Gives an image whose pointer is lost or wrong a new one, one generation on.
  private func repairPointer(_ image: String, at now: Timestamp) throws {
    // A pointer that does not read is as good as none.
    let pointer = try? pointer(image)
    if let pointer, try fault(of: pointer) == nil { return }
    let past = try pointers(image)
    let bad = Set(try quarantined(image).map(\.version))
    let candidates =
      past.isEmpty ? try versionsOnDisk(image) : Set(past.map(\.version)).sorted()
    guard let version = candidates.last(where: { !bad.contains($0) && isWhole(image, $0) })
    else { return }
    var next = try successor(
      of: pointer, try release(image, version), reason: .repair, at: now, expires: nil)
    next.lastVersion = max(next.lastVersion, past.map(\.lastVersion).max() ?? version)
    next.lastSequence = max(next.lastSequence, past.map(\.lastSequence).max() ?? 1)
    try commit(next)
  }

  /// The highest version that was published; of an image without a pointer, the highest there is.
  private func lastVersion(_ image: String) throws(CatalogFailure) -> Version {
    do {
      if let pointer = try pointer(image) { return pointer.lastVersion }
    } catch .damaged {}  // a finding of its own
    return try versionsOnDisk(image).last ?? Version(day: 0, number: 0)
  }
}

extension Release {
  /// Every file that the manifest vouches for: its name, its size in bytes and its hash.
  var files: [(name: String, size: Int, hash: ContentHash)] {
    [(manifest.disk.file, manifest.disk.virtualSize, manifest.disk.sha256)]
      + manifest.documents.map { ($0.file, $0.size, $0.sha256) }
  }
}

/// The attributes of a file, or of a link itself.
private func status(of path: FilePath) throws(CatalogFailure) -> stat {
  var status = stat()
  try call("inspect", path) { lstat(path.string, &status) }
  return status
}

private func isLater(_ left: timespec, _ right: timespec) -> Bool {
  (left.tv_sec, left.tv_nsec) > (right.tv_sec, right.tv_nsec)
}
