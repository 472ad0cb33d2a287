import Content
import Foundation
import Isolation
import Model
import Support
import SystemPackage
import Testing

@testable import Assembling

@Suite("Large tarballs that are kept in a quick form")
struct QuickTarballsTests {
  private let folder: TemporaryFolder
  private let store: BlobStore
  private let program: [UInt8]
  private let package: Lock.NPMPackage

  init() throws {
    folder = try TemporaryFolder()
    store = try BlobStore(store: folder / "store")
    program = (0..<(2 << 20)).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
    let tarball = tarGzip([
      "package/package.json": TarFile("{}"), "package/bin/tool": TarFile(program, mode: 0o755),
    ])
    package = Self.package(
      try store.add(tarball), size: tarball.count, integrity: integrity(of: tarball))
  }

  private static func package(
    _ hash: ContentHash, size: Int, integrity: String
  ) -> Lock.NPMPackage {
    Lock.NPMPackage(
      path: "node_modules/tool", name: "tool", version: "1.0.0",
      tarball: Lock.Blob(path: "tool.tgz", size: size, sha256: hash), integrity: integrity)
  }

  private var quick: FilePath {
    let name = package.tarball.sha256.hex
    return folder / "store/tarballs/\(name.prefix(2))/\(name)"
  }

  /// Installs a package; gives what its program holds then.
  private func install(_ package: Lock.NPMPackage) throws -> [UInt8]? {
    try makeFolder(folder / "root")
    let root = try RootFolder(folder / "root")
    try root.remove("opt")
    let npm = Recipe.NPM(tools: [], position: SourcePosition(file: "test.toml", line: 1, column: 1))
    let project = Lock.NPMProject(
      name: "tool", package: "tool", version: "1.0.0", range: "", isNative: false, commands: [:],
      packages: [package])
    try NPMInstaller(root: root, store: store, jobs: 2).install(project, npm)
    return try root.contents(of: "opt/clis/tool/node_modules/tool/bin/tool")
  }

  @Test("give the same files, also when the tarball itself is not read again")
  func same() throws {
    #expect(try install(package) == program)
    #expect(FileManager.default.fileExists(atPath: quick.string))
    try store.remove(package.tarball.sha256)
    #expect(try install(package) == program)
  }

  @Test("a damaged form is made again")
  func damage() throws {
    _ = try install(package)
    let good = try Data(contentsOf: URL(fileURLWithPath: quick.string))
    var bad = good
    bad[good.count / 2] ^= 1
    try FileManager.default.removeItem(atPath: quick.string)
    try bad.write(to: URL(fileURLWithPath: quick.string))
    #expect(try install(package) == program)
    #expect(try Data(contentsOf: URL(fileURLWithPath: quick.string)) == good)
  }

  @Test("who promises another integrity does not get it")
  func integrityCounts() throws {
    _ = try install(package)
    var other = package
    other.integrity = integrity(of: [1])
    let failure = CustomiseFailure.wrongIntegrity(
      package: "npm tool 1.0.0", expected: other.integrity, actual: package.integrity)
    #expect(throws: failure) { try install(other) }
  }
}
