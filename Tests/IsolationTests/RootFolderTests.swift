import Foundation
import Support
import SystemPackage
import Testing

@testable import Isolation

@Suite("A root folder")
struct RootFolderTests {
  private let outside: TemporaryFolder
  private let inside: TemporaryFolder
  private let root: RootFolder
  private let owner = Owner(uid: geteuid(), gid: getegid())

  init() throws {
    outside = try TemporaryFolder()
    inside = try TemporaryFolder()
    root = try RootFolder(inside.path)
  }

  @Test(
    "keeps every write inside",
    arguments: ["link/file", "/link/file", "../../../file", "up/file", "deep/../../../file"])
  func staysInside(path: String) throws {
    try root.makeLink("link", to: outside.path, owner: owner)
    try root.makeLink("up", to: "../../..", owner: owner)
    try root.makeFolder("deep", owner: owner)
    // Where the link leads from within: the same path below the root, which is missing.
    do { try root.write([1], to: FilePath(path), owner: owner) } catch {
      #expect(error.code == ENOENT)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: outside.path.string) == [])
    for folder in [outside, inside] {
      let above = folder.path.removingLastComponent().appending("file")
      #expect(!FileManager.default.fileExists(atPath: above.string))
    }
  }

  @Test func absoluteLinksCountFromTheRoot() throws {
    try root.makeFolders("/usr/lib", owner: owner)
    try root.makeLink("/lib", to: "/usr/lib", owner: owner)
    try root.write(Array("text".utf8), to: "/lib/file", owner: owner)
    #expect(try root.contents(of: "/usr/lib/file") == Array("text".utf8))
    #expect(try root.target(ofLink: "lib") == "/usr/lib")
    #expect(try root.status(of: "lib")?.kind == .link)
    #expect(try root.status(of: "lib", followsLinks: true)?.kind == .folder)
  }

  @Test func aLinkIsReplacedNotFollowed() throws {
    try root.write([1], to: "file", owner: owner)
    try root.makeLink("link", to: "file", owner: owner)
    try root.write([2], to: "link", mode: 0o4755, owner: owner)
    #expect(try root.contents(of: "file") == [1])
    #expect(try root.contents(of: "link") == [2])
    #expect(try root.status(of: "link")?.mode == 0o4755)
  }

  @Test func missingThingsAreNil() throws {
    #expect(try root.status(of: "a/b") == nil)
    #expect(try root.contents(of: "a/b") == nil)
    #expect(try root.target(ofLink: "a") == nil)
    try root.remove("a")
  }

  @Test func namesAreBytes() throws {
    let path = FilePath(platformString: [65, -1, -2, 0])
    try root.makeFolder(path, owner: owner)
    try root.write([], to: path.appending("z"), owner: owner)
    #expect(try root.names(in: "").map(\.bytes) == [[65, 255, 254]])
    #expect(try root.names(in: path).map(\.bytes) == [[122]])
    try root.remove(path)
    #expect(try root.names(in: "") == [])
  }

  @Test func failuresNameThePath() throws {
    try root.makeFolder("folder", owner: owner)
    let failure = #expect(throws: RootFailure.self) {
      try root.write([], to: "/folder", owner: owner)
    }
    #expect(failure?.description == "cannot write '/folder': Is a directory")
    #expect(throws: RootFailure("remove", "..", EINVAL)) { try root.remove("..") }
  }

  @Test func foldersAboveAreMadeAndReported() throws {
    #expect(try root.makeFolders("/a/b/c", owner: owner) == ["/a", "/a/b", "/a/b/c"])
    #expect(try root.makeFolders("/a/b", owner: owner) == [])
    try root.write([], to: "/a/file", owner: owner)
    #expect(throws: RootFailure("make folder", "/a/file", ENOTDIR)) {
      try root.makeFolders("/a/file/b", owner: owner)
    }
  }
}
