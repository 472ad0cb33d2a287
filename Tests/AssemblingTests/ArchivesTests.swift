import Content
import Foundation
import Model
import Support
import SystemPackage
import Testing

@testable import Assembling

@Suite("Archives of a recipe", .enabled(if: isRoot, "needs root"))
struct ArchivesTests {
  private let root: TestRoot
  private let folder: TemporaryFolder
  private let store: BlobStore

  init() throws {
    root = try TestRoot()
    folder = try TemporaryFolder()
    store = try BlobStore(store: folder.path)
  }

  private func install(
    _ members: [TarMember], strip: Int = 0, into: String = "/opt", include: [String] = [],
    exclude: [String] = []
  ) throws {
    let bytes = tar(members)
    let hash = try store.add(bytes)
    try ArchiveInstaller(root: root.folder, store: store).install(
      Recipe.Archive(
        name: "tool", urls: [], sha256: nil, strip: strip, into: into, include: include,
        exclude: exclude, position: place),
      Lock.Archive(name: "tool", file: .init(path: "tool.tar", size: bytes.count, sha256: hash)))
  }

  private let node = [
    TarMember(path: "node-v20/", kind: "5", mode: 0o755),
    TarMember(path: "node-v20/README", text: "read"),
    TarMember(path: "node-v20/bin/node", text: "program", mode: 0o4755),
    TarMember(path: "node-v20/bin/npm", kind: "2", target: "../lib/npm.js"),
    TarMember(path: "node-v20/bin/nodejs", kind: "1", target: "node-v20/bin/node"),
    TarMember(path: "node-v20/lib/npm.js", text: "js", mode: 0o755),
  ]

  @Test func comeWithTheirModesAsRoot() throws {
    try install(node, strip: 1, into: "/usr/local", include: ["bin/**", "lib"])
    #expect(
      try root.listing() == """
        /usr folder 755 0:0
        /usr/local folder 755 0:0
        /usr/local/bin folder 755 0:0
        /usr/local/bin/node file 4755 0:0
        /usr/local/bin/nodejs file 4755 0:0
        /usr/local/bin/npm link 0:0 -> ../lib/npm.js
        /usr/local/lib folder 755 0:0
        /usr/local/lib/npm.js file 755 0:0
        """)
    #expect(try root.text("/usr/local/bin/nodejs") == "program")
  }

  @Test func leaveOutWhatIsExcluded() throws {
    try install(node, strip: 1, exclude: ["bin/**", "README"])
    #expect(try root.folder.names(in: "/opt").map(\.string) == ["lib"])
  }

  @Test func leaveTheImagesOwnFoldersAndLinksAlone() throws {
    try root.folder.makeFolders("/usr/lib", mode: 0o711)
    try root.folder.makeLink("/lib", to: "usr/lib")
    try install(
      [TarMember(path: "lib", kind: "5", mode: 0o777), TarMember(path: "lib/x", text: "x")],
      into: "/")
    #expect(try root.folder.status(of: "/lib")?.kind == .link)
    #expect(try root.folder.status(of: "/usr/lib")?.mode == 0o711)
    #expect(try root.text("/usr/lib/x") == "x")
  }

  @Test(
    "are refused when a member leads outside",
    arguments: [
      ([TarMember(path: "/etc/passwd", text: "x")], "its path is absolute"),
      ([TarMember(path: "a/../../etc", text: "x")], "its path has '..' in it"),
      (
        [
          TarMember(path: "link", kind: "2", target: "/etc"),
          TarMember(path: "link/passwd", text: "x"),
        ], "its path leads through the symbolic link '/opt/link'"
      ),
      (
        [
          TarMember(path: "link", kind: "2", target: ".."),
          TarMember(path: "link", kind: "5", mode: 0o777),
        ], "its path leads through the symbolic link '/opt/link'"
      ),
      ([TarMember(path: "a", kind: "1", target: "/etc/passwd")], "its path is absolute"),
      ([TarMember(path: "a", kind: "1", target: "../etc/passwd")], "its path has '..' in it"),
      (
        [TarMember(path: "a", kind: "1", target: "b")],
        "a hard link to '/opt/b', which is not a file of the archive"
      ),
      ([TarMember(path: "null", kind: "3")], "it is neither a file, a folder nor a link"),
    ])
  func refused(members: [TarMember], reason: String) throws {
    try root.write("/etc/passwd", "kept")
    let failure = #expect(throws: CustomiseFailure.self) { try install(members) }
    let member = members.last.map { $0.kind == "5" ? $0.path : $0.path } ?? ""
    #expect(failure == .refused(archive: "tool", member: member, reason: reason))
    #expect(try root.text("/etc/passwd") == "kept")
  }

  @Test func aLinkIsReplacedByAFileOfItsName() throws {
    try root.write("/opt/target", "kept")
    try install([
      TarMember(path: "name", kind: "2", target: "target"), TarMember(path: "name", text: "new"),
      TarMember(path: "name2", kind: "1", target: "name"),
    ])
    #expect(try root.text("/opt/target") == "kept")
    #expect(try root.text("/opt/name2") == "new")
  }

  @Test func patternsThatTakeNothingAreFaults() throws {
    let failure = #expect(throws: FaultyRecipe.self) {
      try install(node, strip: 1, include: ["bin/**", "share/**"])
    }
    #expect(
      failure?.description
        == "recipe.toml:7:1: error: nothing in archive 'tool' matches 'share/**'; "
        + "patterns count from where 'strip' has cut")
    let other = #expect(throws: FaultyRecipe.self) { try install(node, strip: 9) }
    #expect(
      other?.description == "recipe.toml:7:1: error: nothing of archive 'tool' is left to unpack; "
        + "see 'strip' and 'exclude'")
  }

  @Test func aDamagedBlobIsRemoved() throws {
    let hash = try store.add(tar(node))
    let path = store.path(of: hash)
    chmod(path.string, 0o600)
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path.string))
    try file.write(contentsOf: Data([1]))
    try file.close()
    #expect(throws: BlobFailure.self) {
      try ArchiveInstaller(root: root.folder, store: store).install(
        Recipe.Archive(name: "tool", urls: [], sha256: nil, into: "/opt", position: place),
        Lock.Archive(name: "tool", file: .init(path: "tool.tar", size: 1, sha256: hash)))
    }
    #expect(!store.contains(hash))
  }
}

@Suite(
  "Wheels of a recipe",
  .enabled(if: isRoot && hasTool("python3"), "needs root and python3"))
struct WheelsTests {
  private let root: TestRoot
  private let folder: TemporaryFolder

  init() throws {
    root = try TestRoot()
    folder = try TemporaryFolder()
  }

  /// Makes a wheel of names, modes and texts.
  private func install(
    _ members: [(String, Int, String)], _ files: [String: String], links: [String: String] = [:]
  ) throws {
    let lines = members.map { name, mode, text in
      "i = zipfile.ZipInfo(\(quoted(name))); i.external_attr = \(mode) << 16; "
        + "z.writestr(i, \(quoted(text)))"
    }
    let script = """
      import zipfile
      z = zipfile.ZipFile("tool.whl", "w", zipfile.ZIP_DEFLATED)
      \(lines.joined(separator: "\n"))
      z.close()
      """
    _ = try runTool("python3", ["-c", script], folder: folder.path.string).succeeded()
    let store = try BlobStore(store: folder / "store")
    let hash = try store.add(file: folder / "tool.whl")
    try WheelInstaller(root: root.folder, store: store).install(
      Recipe.Wheel(package: "tool==1", files: files, links: links, position: place),
      Lock.Wheel(
        name: "tool", version: "1", file: .init(path: "tool.whl", size: 1, sha256: hash)))
  }

  private func quoted(_ text: String) -> String { "\"\(text)\"" }

  @Test func bringFilesAndFoldersWithModesOfTheirKind() throws {
    try install(
      [
        ("tool/_bundled/claude", 0o100755, "program"), ("tool/lib/a.js", 0o100664, "a"),
        ("tool/lib/sub/b", 0o104775, "b"), ("tool-1.data/scripts/run", 0o100644, "run"),
        ("tool-1.dist-info/RECORD", 0o100644, ""),
      ],
      [
        "tool/_bundled/claude": "/opt/bin/claude", "tool/lib/": "/opt/lib/",
        "tool-1.data/scripts/run": "/opt/bin/run",
      ], links: ["/usr/local/bin/claude": "/opt/bin/claude"])
    #expect(
      try root.listing() == """
        /opt folder 755 0:0
        /opt/bin folder 755 0:0
        /opt/bin/claude file 755 0:0
        /opt/bin/run file 755 0:0
        /opt/lib folder 755 0:0
        /opt/lib/a.js file 644 0:0
        /opt/lib/sub folder 755 0:0
        /opt/lib/sub/b file 755 0:0
        /usr folder 755 0:0
        /usr/local folder 755 0:0
        /usr/local/bin folder 755 0:0
        /usr/local/bin/claude link 0:0 -> /opt/bin/claude
        """)
    #expect(try root.text("/opt/bin/claude") == "program")
  }

  @Test func lackingFilesAreFaults() throws {
    let failure = #expect(throws: FaultyRecipe.self) {
      try install([("tool/a", 0o100644, "")], ["tool": "/opt/tool"])
    }
    #expect(
      failure?.description
        == "recipe.toml:7:1: error: wheel 'tool.whl' has no 'tool'; a folder ends with '/'")
  }

  @Test func membersThatLeadOutsideAreRefused() throws {
    let failure = #expect(throws: CustomiseFailure.self) {
      try install([("tool/../../etc/passwd", 0o100644, "")], ["tool/": "/opt/"])
    }
    #expect(
      failure?.description
        == "cannot unpack 'tool/../../etc/passwd' of 'tool.whl': its path has '..' in it")
  }
}
