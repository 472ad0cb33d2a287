import Foundation
import Model
import Support
import SystemPackage
import Testing

@testable import Assembling

@Suite("Files of a recipe", .enabled(if: isRoot, "needs root"))
struct FilesTests {
  private func install(
    _ path: String, _ content: Recipe.File.Content, mode: UInt16? = nil,
    owner: String = "root:root", in root: TestRoot
  ) throws {
    try FileInstaller(root: root.folder, accounts: Accounts(in: root.folder)).install(
      Recipe.File(path: path, content: content, mode: mode, owner: owner, position: place))
  }

  @Test func comeWithModeAndOwnerByName() throws {
    let root = try TestRoot.withAccounts()
    try install("/srv/a/file", .text("hello"), in: root)
    try install("/srv/secret", .text(""), mode: 0o4750, owner: "www-data:video", in: root)
    try install("/srv/number", .text(""), owner: "7:8", in: root)
    try install("/srv/user", .text(""), owner: "www-data", in: root)
    try install("/srv/link", .link(target: "../etc/passwd"), in: root)
    try install("/srv/folder", .folder, mode: 0o1777, in: root)
    #expect(
      try root.listing("/srv") == """
        /srv/a folder 755 0:0
        /srv/a/file file 644 0:0
        /srv/folder folder 1777 0:0
        /srv/link link 0:0 -> ../etc/passwd
        /srv/number file 644 7:8
        /srv/secret file 4750 33:44
        /srv/user file 644 33:33
        """)
    #expect(try root.text("/srv/a/file") == "hello")
  }

  @Test func namesThatTheImageLacksAreFaults() throws {
    let root = try TestRoot.withAccounts()
    let failure = #expect(throws: FaultyRecipe.self) {
      try install("/a", .text(""), owner: "nobody-here", in: root)
    }
    #expect(
      failure?.description
        == "recipe.toml:7:1: error: the image has no user 'nobody-here'; "
        + "add it as [[user]], or a package that brings it")
    #expect(throws: FaultyRecipe.self) {
      try install("/a", .text(""), owner: "root:nogroup-here", in: root)
    }
    #expect(throws: FaultyRecipe.self) { try install("/a", .text(""), owner: "4711", in: root) }
  }

  @Test func newFoldersBelongToTheOwnerOfTheFolderAbove() throws {
    let root = try TestRoot.withAccounts()
    try install("/home/www", .folder, owner: "www-data", in: root)
    try install("/home/www/.config/app/file", .text(""), owner: "www-data", in: root)
    #expect(try root.folder.status(of: "/home/www/.config/app")?.uid == 33)
  }

  @Test func sourcesKeepOnlyTheRightToExecute() throws {
    let root = try TestRoot.withAccounts()
    let host = try TemporaryFolder()
    try host.write("tree/program", "#!")
    try host.write("tree/deep/data", "x")
    chmod((host / "tree/program").string, 0o4770)
    chmod((host / "tree/deep/data").string, 0o600)
    try FileManager.default.createSymbolicLink(
      atPath: (host / "tree/link").string, withDestinationPath: "/outside")
    try install("/opt/tree", .source((host / "tree").string), in: root)
    try install("/opt/alone", .source((host / "tree/program").string), mode: 0o500, in: root)
    #expect(
      try root.listing("/opt") == """
        /opt/alone file 500 0:0
        /opt/tree folder 755 0:0
        /opt/tree/deep folder 755 0:0
        /opt/tree/deep/data file 644 0:0
        /opt/tree/link link 0:0 -> /outside
        /opt/tree/program file 755 0:0
        """)
  }

  @Test func sourcesThatAreMissingAreNamed() throws {
    let root = try TestRoot.withAccounts()
    let failure = #expect(throws: CustomiseFailure.self) {
      try install("/a", .source("/no/such/file"), in: root)
    }
    #expect(failure?.description == "cannot read '/no/such/file': No such file or directory")
  }

  @Test func linksOfTheTreeCannotLeadOutside() throws {
    let root = try TestRoot.withAccounts()
    let outside = try TemporaryFolder()
    try root.folder.makeLink("/trap", to: outside.path)
    #expect(throws: (any Error).self) { try install("/trap/file", .text("x"), in: root) }
    try root.folder.makeFolders(outside.path)
    try install("/trap/file", .text("x"), in: root)
    #expect(try FileManager.default.contentsOfDirectory(atPath: outside.path.string) == [])
    #expect(try root.text(outside.path.appending("file")) == "x")
  }

  @Test func aFileDoesNotReplaceAFolder() throws {
    let root = try TestRoot.withAccounts()
    let failure = #expect(throws: FaultyRecipe.self) { try install("/etc", .text(""), in: root) }
    #expect(failure?.description == "recipe.toml:7:1: error: '/etc' is a folder in the image")
  }
}
