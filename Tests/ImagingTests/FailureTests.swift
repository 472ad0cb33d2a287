internal import Foundation
internal import Imaging
internal import Model
internal import Support
internal import Synchronization
internal import SystemPackage
internal import Testing

@Suite("An image that cannot be")
struct FailureTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private var isNothingLeft: Bool { !FileManager.default.fileExists(atPath: (folder / "i").string) }

  private func largeTree() -> Tree {
    var nodes: [(String, Tree.Node)] = []
    for name in ["usr", "usr/lib", "usr/lib/browser", "opt", "opt/cli", "var", "var/cache"] {
      nodes.append((name, Tree.Node(kind: .directory, mode: 0o755)))
    }
    let megabyte = [UInt8](repeating: 1, count: 1 << 20)
    for index in 0..<20 { nodes.append(("usr/lib/browser/part\(index)", file(megabyte))) }
    for index in 0..<12 { nodes.append(("opt/cli/part\(index)", file(megabyte))) }
    for index in 0..<40 { nodes.append(("var/cache/entry\(index)", file("small"))) }
    return makeTree(nodes)
  }

  @Test("names the largest folders when the tree does not fit, and leaves nothing")
  func space() throws {
    let error = #expect(throws: ImagingFailure.self) {
      try writeImage(of: largeTree(), to: folder / "i", options: smallOptions(mebibytes: 24))
    }
    try expectGolden("\(error.map(\.description) ?? "")\n", "imaging/out-of-space.txt")
    #expect(isNothingLeft)
  }

  @Test("names the folders with most files when inodes run out, and leaves nothing")
  func inodes() throws {
    let error = #expect(throws: ImagingFailure.self) {
      try writeImage(
        of: largeTree(), to: folder / "i", options: smallOptions(mebibytes: 64, inodes: 40))
    }
    try expectGolden("\(error.map(\.description) ?? "")\n", "imaging/out-of-inodes.txt")
    #expect(isNothingLeft)
  }

  @Test("does not replace a file that is there")
  func existing() throws {
    try folder.write("i", "precious")
    let error = #expect(throws: ImagingFailure.self) {
      try writeImage(of: makeTree([]), to: folder / "i", options: smallOptions())
    }
    #expect(error?.description == "cannot create image '\(folder / "i")': File exists")
    #expect(try String(contentsOfFile: (folder / "i").string, encoding: .utf8) == "precious")
  }

  @Test("is gone when the work is cancelled, hashed or not", arguments: [true, false])
  func cancelled(isHashed: Bool) throws {
    let asked = Mutex(0)
    let (path, options) = (folder / "i", smallOptions(mebibytes: 64))
    let isCancelled: @Sendable () -> Bool = {
      asked.withLock {
        $0 += 1
        return $0 > 3
      }
    }
    #expect(throws: CancellationError.self) {
      if isHashed {
        _ = try writeImage(of: largeTree(), to: path, options: options, isCancelled: isCancelled)
      } else {
        _ = try writeUnhashedImage(
          of: largeTree(), to: path, options: options, isCancelled: isCancelled)
      }
    }
    #expect(isNothingLeft)
  }

  @Test("is gone when the task is cancelled")
  func cancelledTask() async throws {
    let (path, tree) = (folder / "i", largeTree())
    let task = Task {
      while !Task.isCancelled { await Task.yield() }
      return try writeImage(of: tree, to: path, options: smallOptions(mebibytes: 64))
    }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(isNothingLeft)
  }

  @Test("is gone when a file changed after the scan", arguments: ["shorter", "longer", "gone"])
  func changed(how: String) throws {
    try folder.write("t/file", "0123456789")
    let tree = try scanTree(of: folder / "t")
    if how == "gone" {
      try FileManager.default.removeItem(atPath: (folder / "t/file").string)
    } else {
      try folder.write("t/file", how == "shorter" ? "01" : "0123456789abc")
    }
    #expect(throws: ImagingFailure.self) {
      try writeImage(of: tree, to: folder / "i", options: smallOptions())
    }
    #expect(isNothingLeft)
  }

  @Test(
    "is refused for options that make no sense",
    arguments: [
      (ImageOptions(size: 5000, identity: "", epoch: 0), "from 8 MiB to 16 TiB"),
      (
        ImageOptions(size: 1 << 30, label: "a label of many bytes", identity: "", epoch: 0),
        "label 'a label of many bytes' is too long"
      ),
      (ImageOptions(size: 1 << 30, identity: "", epoch: 0, inodeCount: 0), "0 inodes"),
    ])
  func options(options: ImageOptions, message: String) throws {
    let error = #expect(throws: ImagingFailure.self) {
      try writeImage(of: makeTree([]), to: folder / "i", options: options)
    }
    #expect(error?.description.contains(message) == true)
    #expect(isNothingLeft)
  }

  @Test(
    "is not made from tars that leave the tree or contradict themselves",
    arguments: [
      ("absolute", ["/etc/passwd"], "its path is absolute"),
      ("parent", ["a/../../b"], "its path has '..' in it"),
      ("link", ["link -> /etc", "link/passwd"], "it lies behind the symbolic link '/link'"),
      ("file", ["file", "file/below"], "it lies below '/file', which is no folder"),
      ("hard", ["hard => absent"], "it is a hard link to 'absent', which no earlier member made"),
      ("folder", ["d/file", "d"], "it would replace a folder that is not empty"),
    ])
  func tars(name: String, members: [String], reason: String) throws {
    let archive = try folder.write("\(name).tar", tarBytes(members))
    let error = #expect(throws: ImagingFailure.self) {
      try scanTar(archive, epoch: 0, scratch: folder.path)
    }
    #expect(error?.description.hasSuffix("from archive '\(archive)': \(reason)") == true)
  }

  @Test("is not made from a tar that was cut off between two members")
  func cutTar() throws {
    let archive = try folder.write("t.tar", Array(tarBytes(["a", "b"]).dropLast(1024)))
    let error = #expect(throws: (any Error).self) {
      try scanTar(archive, epoch: 0, scratch: folder.path)
    }
    #expect(
      error.map { "\($0)" }
        == "cannot read archive '\(archive)': it is cut off: its end marker is missing")
  }

  @Test("takes the last of several members of one path, and makes folders that a tar leaves out")
  func replacement() throws {
    let archive = try folder.write(
      "t.tar", tarBytes(["a/b/file", "a/other => a/b/file", "a/b/file -> elsewhere", "a/b/"]))
    let tree = try scanTar(archive, epoch: 77, scratch: folder.path)
    let kinds = tree.entries.map { (String(decoding: $0.path, as: UTF8.self), tree.nodes[$0.node]) }
    #expect(kinds.map(\.0) == ["", "a", "a/b", "a/b/file", "a/other"])
    #expect(kinds[1].1.modified.seconds == 77)
    #expect(kinds[1].1.mode == 0o755)
    #expect(kinds[2].1.modified.seconds == 1)
    #expect(kinds[3].1.kind == .symlink(target: Array("elsewhere".utf8)))
  }

  /// A tar with these members: `name`, `name -> symlink`, `name => hard link`, `folder/`.
  private func tarBytes(_ members: [String]) -> [UInt8] {
    var bytes = [UInt8]()
    for member in members {
      let isSymlink = member.contains(" -> ")
      let isHardLink = member.contains(" => ")
      let parts = member.components(separatedBy: isSymlink ? " -> " : " => ")
      let type = isSymlink ? "2" : isHardLink ? "1" : member.hasSuffix("/") ? "5" : "0"
      var header = [UInt8](repeating: 0, count: 512)
      func put(_ text: String, _ offset: Int) {
        header.replaceSubrange(offset..<(offset + text.utf8.count), with: Array(text.utf8))
      }
      put(parts[0], 0)
      put("0000644\u{0}0000000\u{0}0000000\u{0}00000000000\u{0}00000000001\u{0}", 100)
      put("        \(type)", 148)
      if parts.count > 1 { put(parts[1], 157) }
      put("ustar\u{0}00", 257)
      let sum = String(header.reduce(0) { $0 + Int($1) }, radix: 8)
      put(String(repeating: "0", count: 6 - sum.count) + sum + "\u{0} ", 148)
      bytes += header
    }
    return bytes + [UInt8](repeating: 0, count: 1024)
  }
}
