import Foundation
import Support
import SystemPackage
import Testing

/// What a build says and leaves when its sources or its disk fail.
@Suite(
  "A build that goes wrong", .enabled(if: canBuild, "needs root and gpg, dpkg-deb, unshare, e2fsck")
)
struct FaultTests {
  @Test("fetches a damaged blob again, or names it when it may not")
  func damagedBlob() throws {
    let world = try World()
    let first = try world.build()
    let deb = try runTool("sha256sum", [world.pool("hello").string]).succeeded().output.prefix(64)
    let blob = world.store.pushing(FilePath("blobs/sha256/\(deb.prefix(2))/\(deb)"))
    try world.folder.write("agent/serve", "#!/bin/sh\necho two\n")

    try flipByte(of: blob)
    // Who has the layer needs no blob of it.
    let offline = try world.run("build", "--offline", "--no-cache")
    #expect(offline.status == 69)
    #expect(
      offline.errors.hasSuffix(
        "build-snapshot: not in the store and --offline was given: 'package hello 1.0'\n"),
      "\(offline.errors)")
    try world.expectNoDebris()

    let requests = world.server.requests.count
    #expect(try world.build("--no-cache") != first)
    #expect(world.server.requests.dropFirst(requests).map(\.path) == [world.debPath("hello")])
    try world.expectNoDebris()
  }

  @Test("does not trust a Release file that was changed")
  func tampered() throws {
    let world = try World()
    let path = "/dists/jammy/InRelease"
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: world.served(path).string)))
    let text = String(decoding: bytes, as: UTF8.self)
    world.server.serve(path, Array(text.replacing("made by", with: "mode by").utf8))
    let result = try world.run()
    #expect(result.status == 1)
    #expect(
      result.errors.hasSuffix(
        "build-snapshot: 'dists/jammy/InRelease' is not to be trusted: its signature does not fit its "
          + "text; it was changed after signing\n"), "\(result.errors)")
    try world.expectNoDebris()
    #expect(!FileManager.default.fileExists(atPath: world.lockFile.string))
    world.server.serve(path, bytes)
    try world.build()
  }

  enum Trouble: String, CaseIterable { case missing, wrongByte, stalled, broken }

  @Test("tells what is wrong with a deb", arguments: Trouble.allCases)
  func deb(trouble: Trouble) throws {
    let world = try World()
    let path = world.debPath("hello")
    let url = world.server.url(path)
    let (fault, status, message): (LoopbackServer.Fault, Int32, String) =
      switch trouble {
      case .missing:
        (
          .status(404), 69,
          "not found: 'package hello 1.0' at '\(url)'; the source may have moved on"
        )
      case .wrongByte:
        (.wrongByte, 1, "'package hello 1.0' from '\(url)' has other bytes than expected: sha256 '")
      case .stalled:
        (
          .stalled(after: 100), 69,
          "cannot fetch 'package hello 1.0': '\(url)': nothing came for 1.0 seconds\n"
        )
      case .broken:
        (.status(503), 69, "cannot fetch 'package hello 1.0': '\(url)': the server answers 503\n")
      }
    world.server.fail(path, fault)
    let result = try world.run()
    #expect(result.status == status)
    #expect(result.errors.contains("build-snapshot: \(message)"), "\(result.errors)")
    try world.expectNoDebris(partialBlobs: true)
    world.server.heal(path)
    try world.build()
    try world.expectNoDebris()
  }

  @Test("says so when no mirror is there")
  func deadMirror() throws {
    let world = try World()
    try world.folder.write("tiny.toml", world.recipe(mirror: "http://127.0.0.1:1"))
    let result = try world.run()
    #expect(result.status == 69)
    #expect(
      result.errors.contains(
        "build-snapshot: cannot fetch 'jammy InRelease': 'http://127.0.0.1:1/dists/jammy/InRelease': "
      ),
      "\(result.errors)")
    try world.expectNoDebris()
    try world.folder.write("tiny.toml", world.recipe())
    try world.build()
  }

  @Test(
    "says so when the disk is full, and leaves nothing but blobs on it", arguments: [4, 14, 40])
  func fullDisk(mebibytes: Int) throws {
    let world = try World()
    // The store is a small disk in a mount namespace of its own; what is on it then is printed.
    let line = """
      mkdir store && mount -t tmpfs -o size=\(mebibytes)M tmpfs store && "$@"; status=$?
      find store/*/ -mindepth 1 | sort; exit $status
      """
    let result = try runTool(
      "unshare", ["-m", "sh", "-c", line, "sh", Program.path] + world.arguments(),
      folder: world.folder.path.string)
    #expect(result.status == 1, "\(result.errors)")
    let last = result.errors.split(separator: "\n").last ?? ""
    #expect(last.hasPrefix("build-snapshot: "))
    #expect(
      ["no room", "No space left", "disk is full"].contains { last.contains($0) },
      "\(result.errors)")
    let left = result.output.split(separator: "\n").filter {
      !$0.hasPrefix("store/blobs/") && !$0.hasPrefix("store/locks/")
        && !$0.hasPrefix("store/releases/") && $0 != "store/images/tiny"
        // What was finished serves the next build; what was not is gone.
        && !$0.hasPrefix("store/layers/")
        && !($0.hasPrefix("store/debs/") && !$0.hasSuffix(".part"))
        && !($0.hasPrefix("store/runs/") && $0.hasSuffix("-tiny.json"))
    }
    #expect(left == [])
    try world.build()
  }
}

private func flipByte(of file: FilePath) throws {
  var bytes = try Data(contentsOf: URL(fileURLWithPath: file.string))
  bytes[bytes.count / 2] ^= 1
  try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file.string)
  let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file.string))
  try handle.write(contentsOf: bytes)
  try handle.close()
}
