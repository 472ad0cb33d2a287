internal import Foundation
public import SystemPackage

/// A folder under the system's temporary folder, or another, that is removed when the last reference goes.
public final class TemporaryFolder: Sendable {
  public let path: FilePath

  public init(in parent: FilePath? = nil) throws {
    let parent = parent?.string ?? FileManager.default.temporaryDirectory.path
    let base = "\(parent)/build-snapshot-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
    path = FilePath(base)
  }

  deinit {
    let files = FileManager.default
    // A plain user must open write-protected folders first; root need not, and may fail on links.
    for name in geteuid() == 0 ? [] : files.subpaths(atPath: path.string) ?? [] {
      let inner = path.appending(name).string
      // A link to nowhere has no attributes.
      guard
        (try? files.attributesOfItem(atPath: inner))?[.type] as? FileAttributeType == .typeDirectory
      else { continue }
      // What stays protected stays behind: the system cleans its temporary folder.
      try? files.setAttributes([.posixPermissions: 0o700], ofItemAtPath: inner)
    }
    // A folder that is already gone is what we want.
    try? files.removeItem(atPath: path.string)
  }

  public static func / (folder: TemporaryFolder, name: String) -> FilePath {
    folder.path.appending(name)
  }

  /// Writes a file, with the folders above it.
  @discardableResult
  public func write(_ name: String, _ bytes: [UInt8]) throws -> FilePath {
    let file = self / name
    try FileManager.default.createDirectory(
      atPath: file.removingLastComponent().string, withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(fileURLWithPath: file.string))
    return file
  }

  @discardableResult
  public func write(_ name: String, _ text: String) throws -> FilePath {
    try write(name, Array(text.utf8))
  }
}
