import Testing

@testable import Assembling

@Suite("Paths inside an image")
struct ImagePathTests {
  @Test(
    "are read without what does not matter",
    arguments: [
      ("./usr/bin/env", "/usr/bin/env"), ("/etc//motd/", "/etc/motd"), ("a/./b", "/a/b"),
      ("./", "/"), ("", "/"),
    ])
  func normalForm(text: String, expected: String) throws {
    #expect(try #require(ImagePath(text)).description == expected)
  }

  @Test("that lead out are none", arguments: ["../etc/passwd", "a/../../b", "..", "/a/..", "a\0b"])
  func refused(text: String) { #expect(ImagePath(text) == nil) }

  @Test(
    "mean the folder below usr where the system is merged",
    arguments: [
      ("bin/sh", "/usr/bin/sh"), ("lib", "/usr/lib"), ("library/x", "/library/x"),
      ("usr/bin/sh", "/usr/bin/sh"), ("etc/bin/sh", "/etc/bin/sh"),
    ])
  func merged(text: String, expected: String) throws {
    let merged = Set(ImagePath.mergedFolders(architecture: "amd64").map { Array($0.utf8) })
    #expect(try #require(ImagePath(text)).unaliased(merged: merged).description == expected)
  }

  @Test("lie in a folder by whole names")
  func within() throws {
    let path = try #require(ImagePath("usr/share/fonts/x"))
    #expect(path.isWithin(try #require(ImagePath("usr/share/fonts"))))
    #expect(path.isWithin(path))
    #expect(path.isWithin(.root))
    #expect(!path.isWithin(try #require(ImagePath("usr/share/font"))))
  }
}
