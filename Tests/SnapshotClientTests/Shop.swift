import Content
import Foundation
import Model
import Publishing
import SnapshotClient
import Support
import SystemPackage

/// A catalog with small releases, and a client of it.
struct Shop {
  let folder: TemporaryFolder
  let key: SigningKey?
  let catalog: Catalog
  static let now = Timestamp(seconds: 1_782_873_667)

  init(isSigned: Bool = true, in parent: FilePath? = nil) throws {
    folder = try TemporaryFolder(in: parent)
    key = isSigned ? SigningKey.generate() : nil
    catalog = Catalog(store: folder / "store", key: key)
  }

  func client(keys: [PublicKey]? = nil, signs: Bool = false) throws -> SnapshotClient {
    try SnapshotClient(
      store: folder / "store", image: "cli", state: folder / "state.json",
      keys: keys ?? key.map { [$0.publicKey] } ?? [], policy: BootPolicy(badBoots: 2, boots: 3),
      key: signs ? key : nil)
  }

  @discardableResult
  func publish(_ byte: UInt8, expires: Int? = nil) throws -> Release {
    let disk = [UInt8](repeating: byte, count: 65536)
    let staging = try catalog.stage("cli")
    _ = FileManager.default.createFile(atPath: staging.disk.string, contents: Data(disk))
    return try catalog.publish(
      staging,
      .sample(of: "cli", disk: disk, input: [byte]),
      at: Self.now, expires: expires
    ).release
  }

  /// The pointer's file.
  var pointer: URL {
    URL(fileURLWithPath: (folder / "store/images/cli/latest.json").string)
  }
}
