import Content
import Foundation
import Model
import Support
import SystemPackage
import Testing

@testable import Assembling

@Suite("Debs that are kept in a quick form", .enabled(if: hasTool("dpkg-deb"), "needs dpkg"))
struct QuickDebsTests {
  private let debs: LockedDebs
  private var package: Lock.Package { debs.packages[0] }
  private var quick: FilePath {
    let name = package.deb.sha256.hex
    return debs.store.store.appending("debs").appending(String(name.prefix(2))).appending(name)
  }

  init() throws {
    var maker = DebMaker()
    try maker.add("poem", "mkdir -p usr/share; seq 20000 > usr/share/poem; ln -s poem usr/share/p")
    debs = try LockedDebs(files: maker.debs)
  }

  private func listing(_ deb: FilePath) throws -> String {
    try runTool("dpkg-deb", ["--contents", deb.string]).succeeded().output
      + runTool("dpkg-deb", ["--info", deb.string]).succeeded().output.split(separator: "\n")
      .dropFirst(2).joined(separator: "\n")
  }

  @Test("dpkg reads the same package from it")
  func same() throws {
    let path = try QuickDebs(debs.store).path(of: package)
    #expect(path == quick)
    #expect(try listing(path) == listing(debs.store.path(of: package.deb.sha256)))
    let members = try runTool("ar", ["t", path.string]).succeeded().output
    #expect(members == "debian-binary\ncontrol.tar.zst\ndata.tar.zst\n_sha256\n")
  }

  @Test("it is made once")
  func once() throws {
    _ = try QuickDebs(debs.store).path(of: package)
    let before = try FileManager.default.attributesOfItem(atPath: quick.string)
    _ = try QuickDebs(debs.store).path(of: package)
    let after = try FileManager.default.attributesOfItem(atPath: quick.string)
    #expect(before[.systemFileNumber] as? Int == after[.systemFileNumber] as? Int)
  }

  @Test(
    "damage is found and the quick form made anew",
    arguments: ["one byte differs", "the end is missing", "it is empty", "it is another deb's"])
  func damage(_ kind: String) throws {
    _ = try QuickDebs(debs.store).path(of: package)
    let good = try Data(contentsOf: URL(fileURLWithPath: quick.string))
    var bad = good
    switch kind {
    case "one byte differs": bad[good.count / 2] ^= 1
    case "the end is missing": bad.removeLast()
    case "it is empty": bad = Data()
    default:
      var maker = DebMaker()
      try maker.add("other", "mkdir x")
      let others = try LockedDebs(files: maker.debs)
      bad = try Data(
        contentsOf: URL(
          fileURLWithPath: QuickDebs(others.store).path(of: others.packages[0]).string))
    }
    try FileManager.default.removeItem(atPath: quick.string)
    try bad.write(to: URL(fileURLWithPath: quick.string))
    #expect(try QuickDebs(debs.store).path(of: package) == quick)
    #expect(try Data(contentsOf: URL(fileURLWithPath: quick.string)) == good)
  }

  @Test("where it cannot be made, the deb itself is used")
  func noRoom() throws {
    try Data().write(to: URL(fileURLWithPath: debs.store.store.appending("debs").string))
    let path = try QuickDebs(debs.store).path(of: package)
    #expect(path == debs.store.path(of: package.deb.sha256))
  }
}
