import Foundation
import Support
import SystemPackage
import Testing

/// A mirror, a recipe with an agent, and a store, each in its place; the program to run on them.
final class World {
  static let image = "tiny"

  let folder: TemporaryFolder
  let server: LoopbackServer
  let store: FilePath
  let program: Program
  private let archive: TinyArchive

  /// - Parameter store: another place than a folder of its own.
  init(store: FilePath? = nil, server: LoopbackServer? = nil) throws {
    archive = try TinyArchive.shared()
    folder = try TemporaryFolder()
    self.server = try server ?? LoopbackServer(folder: archive.folder)
    self.store = store ?? folder / "store"
    program = Program(folder: folder.path)
    try folder.write("agent/serve", "#!/bin/sh\necho served\n")
    try folder.write("tiny.toml", recipe())
  }

  var lockFile: FilePath { folder / "tiny.lock" }

  /// The recipe's text.
  ///
  /// - Parameters:
  ///   - image: the image's name.
  ///   - run: the line of a `[[run]]`.
  func recipe(image: String = World.image, mirror: String? = nil, run: String = "hello") -> String {
    """
    schema = 1

    [image]
    name = "\(image)"
    size = "128MiB"
    label = "tiny"

    [base]
    distribution = "ubuntu"
    suite = "jammy"
    components = ["main"]
    mirror = "\(mirror ?? server.url())"
    keyring = "\(archive.keyring)"

    [packages]
    install = ["hello"]

    [[user]]
    name = "agent"
    uid = 1000
    shell = "/bin/sh"

    [[file]]
    path = "/etc/greeting"
    content = "hello\\n"

    [[run]]
    name = "greet"
    command = ["/bin/sh", "-c", "\(run)"]

    [[agent]]
    name = "server"
    source = "agent"
    into = "/opt/server"

    """
  }

  /// Runs a command on the recipe and the store, without much patience for sources.
  func run(_ command: String = "build", _ options: String...) throws -> ToolResult {
    try program.run(arguments(command, options))
  }

  func arguments(_ command: String = "build", _ options: [String] = []) -> [String] {
    let patience = command == "plan" ? [] : ["--timeout", "1", "--retries", "1"]
    return [command, "tiny.toml", "--store", store.string] + patience + options
  }

  /// Builds, and expects a new version.
  @discardableResult
  func build(
    _ options: String..., at place: SourceLocation = #_sourceLocation
  ) throws -> FilePath {
    let result = try program.run(arguments("build", options))
    try #require(result.status == 0, "\(result.errors)", sourceLocation: place)
    #expect(result.errors.contains("published tiny "), sourceLocation: place)
    return FilePath(String(result.output.dropLast()))
  }

  /// The versions in the catalog.
  var versions: [String] {
    get throws { try names(in: "images/tiny").filter { $0.first?.isNumber == true } }
  }

  /// Expects that only blobs, locks and whole versions are in the store.
  ///
  /// - Parameter partialBlobs: whether what came of a blob may stay for the next build.
  func expectNoDebris(partialBlobs: Bool = false, at place: SourceLocation = #_sourceLocation)
    throws
  {
    for name in ["work", "staging", "tmp"] {
      #expect(try names(in: name) == [], "\(name)", sourceLocation: place)
    }
    for version in try versions {
      let files = try names(in: "images/tiny/\(version)")
      #expect(
        files == [
          "files.txt", "manifest.json", "packages.txt", "recipe.lock", "recipe.toml",
          "rootfs.chunks", "rootfs.ext4", "sbom.cdx.json", "sbom.spdx.json",
        ],
        sourceLocation: place)
    }
    if partialBlobs { return }
    let parts = try names(in: "blobs/sha256").flatMap { try names(in: "blobs/sha256/\($0)") }
    #expect(parts.allSatisfy { $0.count == 64 }, "\(parts)", sourceLocation: place)
  }

  /// What a folder of the store holds, sorted; nothing where there is none.
  func names(in name: String) throws -> [String] {
    let path = store.pushing(FilePath(name)).string
    guard FileManager.default.fileExists(atPath: path) else { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: path).sorted()
  }

  /// Forgets lock, images, layers and blobs, so that a build has all to do again; what was in progress stays.
  func forget() throws {
    for path in [lockFile] + ["images", "blobs", "layers"].map({ store.appending($0) })
    where FileManager.default.fileExists(atPath: path.string) {
      try FileManager.default.removeItem(atPath: path.string)
    }
  }

  /// The same recipe and lock in another folder, for another store.
  func twin() throws -> World {
    let twin = try World(server: server)
    try FileManager.default.copyItem(atPath: lockFile.string, toPath: twin.lockFile.string)
    return twin
  }

  /// The file behind a path of the server.
  func served(_ path: String) -> FilePath {
    archive.folder.pushing(FilePath(String(path.dropFirst())))
  }

  /// A package's deb.
  func pool(_ name: String) -> FilePath { served(debPath(name)) }

  /// The path of a package's deb on the server.
  func debPath(_ name: String) -> String {
    "/pool/main/\(name.first ?? "?")/\(name)/\(name)_1.0_amd64.deb"
  }
}

/// What the tests of this folder need: see the message of their gate.
let canBuild = canMakeRepositories && hasTool("unshare") && hasTool("e2fsck") && isRoot
