import Foundation
import Support
import SystemPackage
import Testing

/// Equal inputs give equal images, whatever differs around a build.
@Suite(
  "Two builds of one lock",
  .enabled(if: canBuild, "needs root and gpg, dpkg-deb, unshare, e2fsck"))
struct SameBytesTests {
  @Test("are the same bytes: other folder, store, umask, zone, language, number of threads")
  func otherSurroundings() throws {
    let first = try World()
    let disk = try first.build("--jobs", "1")
    let second = try first.twin()
    let line = "umask 077; exec \"$0\" \"$@\""
    let result = try runTool(
      "sh", ["-c", line, Program.path] + second.arguments("build", ["--jobs", "4"]),
      environment: ["TZ": "Asia/Tokyo", "LANG": "de_DE.UTF-8", "LC_ALL": "de_DE.UTF-8"],
      folder: second.folder.path.string)
    try #require(result.status == 0, "\(result.errors)")
    try expectSame(disk, FilePath(String(result.output.dropLast())))
  }

  @Test("are the same bytes at another time", .enabled(if: hasTool("faketime"), "needs faketime"))
  func otherTime() throws {
    let first = try World()
    let disk = try first.build()
    let second = try first.twin()
    let result = try runTool(
      "faketime", ["-f", "+400d", Program.path] + second.arguments(),
      // The clock alone: else what stat says of files is shifted too.
      environment: ["NO_FAKE_STAT": "1"], folder: second.folder.path.string)
    try #require(result.status == 0, "\(result.errors)")
    // The clock did differ: versions bear the day.
    #expect(try first.versions != second.versions)
    try expectSame(disk, FilePath(String(result.output.dropLast())))
  }

  @Test(
    "are the same bytes where the kernel tells another name and release",
    .enabled(if: hasTool("strace"), "needs strace"))
  func otherKernel() throws {
    let first = try World()
    let disk = try first.build()
    let second = try first.twin()
    let fields = ["Linux", "elsewhere", "6.1.0-49-other", "#1 SMP"]
    let told = fields.map { field in
      let bytes = Array(field.utf8)
      return (bytes + [UInt8](repeating: 0, count: 65 - bytes.count))
        .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }.joined()
    let strace = [
      "--quiet=all", "--follow-forks", "--seccomp-bpf", "--output=/dev/null", "--trace=uname",
      "--inject=uname:poke_exit=@arg1=\(told)",
    ]
    #expect(try runTool("strace", strace + ["uname", "-r"]).output == "6.1.0-49-other\n")
    let result = try runTool(
      "strace", strace + [Program.path] + second.arguments(),
      folder: second.folder.path.string)
    try #require(result.status == 0, "\(result.errors)")
    try expectSame(disk, FilePath(String(result.output.dropLast())))
  }

  @Test(
    "are the same bytes where downloads come in another order, and where some are there already")
  func otherOrder() throws {
    let first = try World()
    let disk = try first.build()
    let debs = first.server.requests.map(\.path).filter { $0.hasSuffix(".deb") }
    let early = try #require(debs.first)
    let second = try first.twin()
    first.server.fail(early, .slow(piece: 64))
    defer { first.server.heal(early) }
    try expectSame(disk, try second.build())
    // Of these every second was fetched by somebody before.
    let third = try first.twin()
    let blobs = try second.names(in: "blobs/sha256").flatMap { parent in
      try second.names(in: "blobs/sha256/\(parent)").map { "blobs/sha256/\(parent)/\($0)" }
    }
    for (index, blob) in blobs.enumerated() where index.isMultiple(of: 2) {
      let place = third.store.pushing(FilePath(blob))
      try FileManager.default.createDirectory(
        atPath: place.removingLastComponent().string, withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        atPath: second.store.pushing(FilePath(blob)).string, toPath: place.string)
    }
    try expectSame(disk, try third.build("--jobs", "1"))
  }

  @Test("are the same bytes for root and for a plain user")
  func plainUser() throws {
    let first = try World()
    let disk = try first.build()
    let second = try first.twin()
    let scratch = second.folder
    let accounts = try String(contentsOfFile: "/etc/passwd", encoding: .utf8)
    try scratch.write("passwd", accounts + "probe:x:4242:4242::/nonexistent:/bin/sh\n")
    try scratch.write("ids", "probe:300000:65536\n")
    let line = """
      mount --bind passwd /etc/passwd && mount --bind ids /etc/subuid &&
      mount --bind ids /etc/subgid && chown -R 4242:4242 . &&
      exec setpriv --reuid 4242 --regid 4242 --clear-groups "$@"
      """
    let result = try runTool(
      "unshare", ["-m", "sh", "-c", line, "sh", Program.path] + second.arguments(),
      environment: ["HOME": "/nonexistent"], folder: scratch.path.string)
    try #require(result.status == 0, "\(result.errors)")
    try expectSame(disk, FilePath(String(result.output.dropLast())))
    try second.expectNoDebris()
  }
}
