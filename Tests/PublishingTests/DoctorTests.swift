import Foundation
import Model
import Publishing
import Support
import SystemPackage
import Testing

@Suite("The doctor")
struct DoctorTests {
  let folder: TemporaryFolder
  let catalog: Catalog
  let releases: [Release]

  init() throws {
    folder = try TemporaryFolder()
    let catalog = Catalog(store: folder / "store")
    self.catalog = catalog
    releases = try (1...3).map { number in
      try catalog.publishSample(
        inputs: "\(number)", disk: [UInt8](repeating: UInt8(number), count: 65536)
      ).release
    }
  }

  private var image: FilePath { folder / "store/images/browser" }

  @Test func findsNothingInAHealthyCatalog() throws {
    #expect(try catalog.examine(isDeep: true) == [])
  }

  @Test(
    "finds and mends",
    arguments: [
      "lost pointer", "damaged pointer", "dangling pointer", "lagging link", "temporary file",
      "unfinished version", "stale staging", "trash", "changed disk", "cut disk",
      "missing document",
      "writable disk", "writable folder", "quarantined current", "other manifest",
    ])
  func findsAndMends(harm: String) throws {
    let before = try #require(try catalog.pointer("browser"))
    try inflict(harm)
    let findings = try catalog.examine()
    // A disk that was opened for writing stays writable; one that was cut is no longer whole.
    let isDouble = ["changed disk", "cut disk"].contains(harm)
    #expect(findings.count == (isDouble ? 2 : 1), "\(findings)")
    #expect(findings.allSatisfy { $0.remedy != nil })
    #expect(try catalog.repair(at: sampleTime) == findings)
    let left = try catalog.examine(isDeep: true)
    // What is damaged stays so, but nobody is led there any more.
    #expect(left.isEmpty || harm.contains("disk") || harm == "missing document", "\(left)")
    let after = try #require(try catalog.pointer("browser"))
    #expect(after.generation >= before.generation)
    let current = try #require(try catalog.current("browser"))
    #expect(!(try catalog.quarantined("browser").contains { $0.version == current.version }))
    #expect(try text(image.appending("latest.json")).contains(current.manifestHash.hex))
    #expect(try catalog.publishSample(inputs: "next").release.version.number == 4)
  }

  private func inflict(_ harm: String) throws {
    let files = FileManager.default
    let current = releases[2]
    switch harm {
    case "lost pointer": try files.removeItem(atPath: image.appending("latest.json").string)
    case "damaged pointer": try overwrite(image.appending("latest.json"), "{")
    case "dangling pointer":
      chmod(current.folder.string, 0o700)
      try files.removeItem(atPath: current.folder.string)
    case "lagging link":
      unlink(image.appending("latest").string)
      symlink("20260701.001", image.appending("latest").string)
    case "temporary file": try folder.write("store/images/browser/.tmp-latest.json-1", "{")
    case "unfinished version": try folder.write("store/images/browser/20260701.004/x", "")
    case "stale staging": try folder.write("store/staging/browser-1/rootfs.ext4", "")
    case "trash": try folder.write("store/images/browser/trash/20260601.001-1/rootfs.ext4", "")
    case "changed disk":
      chmod(current.disk.string, 0o644)
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: current.disk.string))
      try file.write(contentsOf: Data([9]))
      try file.close()
      try files.setAttributes(
        [.modificationDate: Date(timeIntervalSinceNow: 60)], ofItemAtPath: current.disk.string)
    case "cut disk":
      chmod(current.disk.string, 0o644)
      truncate(current.disk.string, 4096)
      chmod(current.disk.string, 0o444)
    case "missing document":
      chmod(current.folder.string, 0o700)
      try files.removeItem(atPath: current.folder.appending("packages.txt").string)
      chmod(current.folder.string, 0o555)
    case "writable disk": chmod(current.disk.string, 0o644)
    case "writable folder": chmod(current.folder.string, 0o755)
    case "other manifest":
      // A manifest that reads, and is not the one that the pointer names.
      chmod(current.folder.string, 0o700)
      let path = current.folder.appending("manifest.json")
      try overwrite(path, try text(path) + "\n")
      let past = try #require(
        try files.attributesOfItem(atPath: current.disk.string)[.modificationDate] as? Date)
      try files.setAttributes(
        [.modificationDate: past.addingTimeInterval(60), .posixPermissions: 0o444],
        ofItemAtPath: path.string)
      chmod(current.folder.string, 0o555)
    case "quarantined current":
      try catalog.quarantine("browser", releases[1].version, reason: "x", at: sampleTime)
      let quarantine = image.appending("quarantine")
      let mark = try text(quarantine.appending("20260701.002.json"))
      try folder.write(
        "store/images/browser/quarantine/20260701.003.json",
        mark.replacing("20260701.002", with: "20260701.003"))
    default: Issue.record("no such harm: \(harm)")
    }
  }

  @Test("tells of a manifest that does not read, and leads away from its release")
  func damagedManifest() throws {
    let current = releases[2]
    chmod(current.folder.string, 0o700)
    try overwrite(current.folder.appending("manifest.json"), "{")
    chmod(current.folder.string, 0o555)
    let found = try catalog.examine()
    #expect(
      found.contains {
        if case .damagedManifest(current.version, _) = $0.fault { $0.remedy == nil } else { false }
      }, "\(found)")
    _ = try catalog.repair(at: sampleTime)
    #expect(try catalog.current("browser") == releases[1])
    #expect(try catalog.publishSample(inputs: "next").release.version.number == 4)
  }

  private func overwrite(_ path: FilePath, _ text: String) throws {
    unlink(path.string)
    try Data(text.utf8).write(to: URL(fileURLWithPath: path.string))
  }

  @Test func explainsAnImageThatWasOpenedForWriting() throws {
    try inflict("changed disk")
    let text = try catalog.examine().map(\.description).joined(separator: "\n")
    #expect(text.contains("rootfs.ext4' was changed after publishing, by a machine"))
    #expect(text.contains("can be written to (mode 644)"))
  }
}
