import Content
import Foundation
import Model
import Support
import Synchronization
import SystemPackage

/// Brings files from `file` addresses, and by curl from others; keeps what it was asked for.
final class PlainTransport: Transport {
  private let store: BlobStore
  private let asked = Mutex<[String]>([])

  init(store: FilePath) throws { self.store = try BlobStore(store: store) }

  /// What names were asked for, in order.
  var names: [String] { asked.withLock { $0 } }

  func bytes(named name: String, from urls: [String], limit: Int) async throws -> [UInt8] {
    asked.withLock { $0.append(name) }
    for address in urls {
      if let bytes = try bytes(at: address) { return bytes }
    }
    throw NotThere(name: name)
  }

  /// Takes what comes as it is: who asks must find out that it is wrong.
  func fetch(_ downloads: [Download]) async throws {
    for download in downloads where !store.contains(download.hash) {
      let bytes = try await bytes(named: download.name, from: download.urls, limit: .max)
      let path = store.path(of: download.hash)
      try FileManager.default.createDirectory(
        atPath: path.removingLastComponent().string, withIntermediateDirectories: true)
      try Data(bytes).write(to: URL(fileURLWithPath: path.string))
    }
  }

  private func bytes(at address: String) throws -> [UInt8]? {
    if let url = URL(string: address), url.isFileURL {
      // What cannot be read is not there.
      return (try? Data(contentsOf: url)).map { Array($0) }
    }
    let folder = try TemporaryFolder()
    let file = folder / "file"
    let result = try runTool("curl", ["-fsSL", "-o", file.string, address])
    return result.status == 0 ? Array(try Data(contentsOf: URL(fileURLWithPath: file.string))) : nil
  }
}

struct NotThere: Error, Equatable {
  var name: String
}
