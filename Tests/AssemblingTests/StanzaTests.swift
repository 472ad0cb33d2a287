import Content
import Foundation
import Model
import Support
import SystemPackage
import Testing

@testable import Assembling

@Suite("Control files")
struct StanzaTests {
  @Test("keep fields in order, values as bytes, and further lines")
  func fields() throws {
    let text = "Package: a\nDescription: short \n long\n .\n\tmore \nX-Latin: caf\u{E9}\nEmpty:\n"
    let stanzas = try #require(Stanza.parse(Array(text.utf8)))
    #expect(stanzas.count == 1)
    #expect(stanzas[0].fields.map(\.name) == ["Package", "Description", "X-Latin", "Empty"])
    #expect(stanzas[0]["description"] == "short \n long\n .\n\tmore")
    #expect(stanzas[0]["Empty"] == "")
    #expect(stanzas[0]["Missing"] == nil)
  }

  @Test("are split at empty lines, however many")
  func paragraphs() throws {
    let stanzas = try #require(Stanza.parse(Array("\n\nA: 1\n\n\nB: 2\n\n".utf8)))
    #expect(stanzas.map { $0.fields.map(\.name) } == [["A"], ["B"]])
  }

  @Test(
    "with a line that is no field are faulty",
    arguments: ["word\n", " a: b\n", ": x\n", "A: 1\nb\n"])
  func faulty(text: String) { #expect(Stanza.parse(Array(text.utf8)) == nil) }

  @Test("of random bytes never crash the reader")
  func random() {
    var numbers = SplitMix64(seed: 7)
    let alphabet = Array("aB: \t\n\n.-\0\u{FF}".utf8)
    for _ in 0..<20_000 {
      let text = (0..<Int.random(in: 0..<40, using: &numbers)).map { _ in
        alphabet.randomElement(using: &numbers) ?? 0
      }
      guard let stanzas = Stanza.parse(text) else { continue }
      #expect(stanzas.allSatisfy { !$0.fields.isEmpty })
    }
  }
}

@Suite("Reading debs", .enabled(if: hasTool("dpkg-deb"), "needs dpkg-deb"))
struct DebTests {
  private func deb(_ compression: String = "gzip") throws -> (LockedDebs, DebMaker) {
    var maker = DebMaker()
    try maker.add(
      "sample", version: "1:2-3", compression: compression,
      """
      mkdir etc; echo 1 > etc/a; echo 2 > etc/b
      printf '/etc/a\\nremove-on-upgrade /etc/gone\\n' > DEBIAN/conffiles
      printf '#!/bin/sh\\n' > DEBIAN/postinst
      """)
    return (try LockedDebs(files: maker.debs), maker)
  }

  @Test("works for every compression", arguments: ["gzip", "xz", "zstd", "none"])
  func compressions(name: String) throws {
    let (debs, _) = try deb(name)
    let package = debs.packages[0]
    let deb = try Deb.read(package, from: debs.store.path(of: package.deb.sha256))
    #expect(deb.files.map(\.name) == ["conffiles", "control", "postinst"])
    #expect(deb.conffiles.map(\.description) == ["/etc/a"])
    #expect(deb.files.last?.mode == 0o755)
    var paths: [String] = []
    try Deb.withPart("data", of: package, from: debs.store.path(of: package.deb.sha256)) {
      archive in
      while let entry = try archive.next() {
        paths.append(String(decoding: entry.path, as: UTF8.self))
      }
    }
    #expect(paths.sorted() == ["./", "./etc/", "./etc/a", "./etc/b"])
  }

  @Test("refuses a deb of another version")
  func otherVersion() throws {
    let (debs, _) = try deb()
    var package = debs.packages[0]
    package.version = "9"
    let failure = #expect(throws: PackageFailure.self) {
      try Deb.read(package, from: debs.store.path(of: package.deb.sha256))
    }
    #expect(
      failure?.description
        == "cannot read the deb of package 'sample': it holds 'sample 1:2-3', and not version '9'")
  }

  @Test("of a damaged deb gives an error that names the package, and never crashes")
  func damaged() throws {
    let (debs, maker) = try deb()
    let package = debs.packages[0]
    let whole = Array(try Data(contentsOf: URL(fileURLWithPath: maker.debs[0].string)))
    let folder = try TemporaryFolder()
    var numbers = SplitMix64(seed: 11)
    for round in 0..<400 {
      var bytes = whole
      if round % 4 == 0 {
        bytes.removeLast(Int.random(in: 1...bytes.count, using: &numbers))
      } else {
        for _ in 0..<3 {
          bytes[Int.random(in: 0..<bytes.count, using: &numbers)] = UInt8.random(
            in: 0...255, using: &numbers)
        }
      }
      let file = try folder.write("damaged.deb", bytes)
      do {
        _ = try Deb.read(package, from: file)
        try Deb.withPart("data", of: package, from: file) { archive in
          while try archive.next() != nil {}
        }
      } catch let failure as PackageFailure {
        #expect(failure.description.contains("'sample'"))
      }
    }
  }
}
