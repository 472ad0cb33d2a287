import Content
import Foundation
import Model
import Support
import SystemPackage

/// Debs in a store, with the packages of a lock that name them.
struct LockedDebs {
  let store: BlobStore
  private(set) var packages: [Lock.Package] = []
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    store = try BlobStore(store: folder / "store")
  }

  /// Takes in debs; those named in `essential` count as the essential closure, beside the ones that
  /// say so themselves.
  init(files: [FilePath], essential: Set<String> = []) throws {
    try self.init()
    for file in files {
      let fields = try runTool(
        "dpkg-deb",
        [
          "-W", "--showformat", "${Package}\n${Version}\n${Architecture}\n${Essential}",
          file.string,
        ]
      ).succeeded().output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      let hash = try store.add(file: file)
      packages.append(
        Lock.Package(
          name: fields[0], version: fields[1], architecture: fields[2], repository: "test",
          deb: Lock.Blob(
            path: file.lastComponent?.string ?? "", size: store.size(of: hash) ?? 0, sha256: hash),
          isEssential: fields[3] == "yes" || essential.contains(fields[0])))
    }
    packages.sort { ($0.name, $0.architecture) < ($1.name, $1.architecture) }
  }
}
