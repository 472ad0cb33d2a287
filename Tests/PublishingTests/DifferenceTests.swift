import Foundation
import Model
import Support
import Testing

@testable import Publishing

@Suite("The difference of two releases")
struct DifferenceTests {
  private let folder: TemporaryFolder
  private let catalog: Catalog

  init() throws {
    folder = try TemporaryFolder()
    catalog = Catalog(store: folder / "store")
  }

  private func file(_ mode: UInt16, _ size: Int64, uid: UInt32 = 0) -> Tree.Node {
    Tree.Node(
      kind: .file(Tree.File(size: size, origin: .inline([]))), mode: mode, uid: uid)
  }

  private func tree(_ nodes: [(String, Tree.Node)]) -> Tree {
    let all = [("", Tree.Node(kind: .directory, mode: 0o755))] + nodes
    return Tree(
      entries: all.indices.map { Tree.Entry(path: Array(all[$0].0.utf8), node: $0) },
      nodes: all.map(\.1))
  }

  private func publish(
    _ manifest: Manifest, lock: String, recipe: String = "", files: FileList?, chunks: [UInt8]
  ) throws -> Release {
    var manifest = manifest
    let staging = try catalog.stage("browser")
    try Data(sampleDisk).write(to: URL(fileURLWithPath: staging.disk.string))
    try staging.add(
      Array(lock.utf8), as: "recipe.lock", role: "lock", mediaType: "application/json")
    manifest.inputs.lock.sha256 = ContentHash(of: lock)
    try staging.add(
      Array(recipe.utf8), as: "recipe.toml", role: "recipe", mediaType: "application/toml")
    if let files { try staging.add(files) }
    if !chunks.isEmpty {
      let table = chunks.flatMap { byte -> [UInt8] in
        [UInt8](repeating: byte, count: 8) + [0, 0, 16, 0] + [UInt8](repeating: byte, count: 32)
      }
      try staging.add(table, as: "rootfs.ext4.chunks", role: "chunks", mediaType: "text/plain")
      manifest.disk.chunks = Manifest.Chunks(
        layout: "fixed/v1", maxChunkSize: 1 << 20, count: chunks.count, dataBytes: 0,
        tableFile: "rootfs.ext4.chunks", tableSize: table.count, tableSha256: ContentHash(of: ""))
    }
    return try catalog.publish(staging, manifest, at: sampleTime).release
  }

  private let noContents = [ContentHash?](repeating: nil, count: 16)

  private func twoReleases() throws -> (Release, Release) {
    let link = { (to: String) in Tree.Node(kind: .symlink(target: Array(to.utf8)), mode: 0o777) }
    let before = FileList(
      of: tree([
        ("a b", file(0o644, 1)), ("gone", file(0o644, 2)), ("link", link("a")),
        ("owned", file(0o644, 3)), ("same", file(0o600, 4)),
      ]), contents: noContents)
    let after = FileList(
      of: tree([
        ("a b", file(0o755, 9)), ("link", link("b")), ("new", file(0o644, 2)),
        ("owned", file(0o644, 3, uid: 7)), ("same", file(0o600, 4)),
      ]), contents: noContents)
    let old = try publish(
      sampleManifest(inputs: "1"), lock: "{\n\"xvfb\": 1\n}\n",
      recipe: "[packages]\ninstall = [\"xvfb\"]\n[[agent]]\nname = \"vm-browser-agent\"\n",
      files: before, chunks: [1, 2])
    var packages = samplePackages
    packages[0].version = "2:21.1.7-3+deb12u10"
    packages.remove(at: 1)
    packages.append(
      Manifest.Package(
        type: .deb, name: "jq", version: "1.6-2.1", arch: "amd64", sha256: ContentHash(of: "jq")))
    var manifest = sampleManifest(inputs: "2", packages: packages)
    manifest.clis[0].version = "0.164.0"
    manifest.agents[0].sha256 = ContentHash(of: "agent 2")
    manifest.units[0].state = .enabled
    manifest.inputs.recipe.sha256 = ContentHash(of: "recipe 2")
    manifest.disk.allocatedSize += 5 << 20
    let new = try publish(
      manifest, lock: "{\n\"jq\": 1,\n\"xvfb\": 2,\n\"openai-codex-cli-bin\": 3\n}\n",
      recipe: """
        [packages]
        install = ["xvfb"]
        more = ["jq"]
        [[agent]]
        name = "vm-browser-agent"

        """, files: after, chunks: [2, 3, 4])
    return (old, new)
  }

  @Test func isToldToPeople() throws {
    let (old, new) = try twoReleases()
    let text = try catalog.difference(from: old, to: new).text()
    try expectGolden(text, "difference.txt")
  }

  @Test func isAValueThatTravelsAsJSON() throws {
    let (old, new) = try twoReleases()
    let difference = try catalog.difference(from: old, to: new)
    let bytes = try json(difference)
    #expect(try JSONDecoder().decode(Difference.self, from: Data(bytes)) == difference)
    #expect(difference.shipment == Difference.Shipment(chunks: 2, bytes: 2 << 20))
    #expect(difference.files?.added == ["new"])
  }

  @Test func ofAReleaseToItselfIsNone() throws {
    let (_, new) = try twoReleases()
    let difference = try catalog.difference(from: new, to: new)
    #expect(difference.isSameDisk && !difference.isRecipeChanged && !difference.isLockChanged)
    #expect(difference.packages.isEmpty && difference.clis.isEmpty)
    #expect(difference.files == Difference.Files(added: [], removed: [], changed: []))
    #expect(difference.shipment?.chunks == 0)
  }

  @Test func withoutListsTellsOfManifestsOnly() throws {
    let old = try publish(sampleManifest(inputs: "1"), lock: "", files: nil, chunks: [])
    let new = try publish(sampleManifest(inputs: "2"), lock: "", files: nil, chunks: [])
    let difference = try catalog.difference(from: old, to: new)
    #expect(difference.files == nil && difference.shipment == nil)
  }

  @Test func aFileListReadsWhatItWrites() {
    let list = FileList(
      of: tree([("x\ty%ü", file(0o4755, 1)), ("z", Tree.Node(kind: .fifo, mode: 0o600))]),
      contents: [nil, ContentHash(of: "x"), nil])
    #expect(FileList(text: list.text) == list)
    #expect(list.text.contains("f\t4755\t0\t0\t1\t\(ContentHash(of: "x"))\tx%09y%25%C3%BC\n"))
    #expect(FileList(text: "nonsense\n") == nil)
  }
}
