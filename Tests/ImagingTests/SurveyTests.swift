internal import Content
internal import Foundation
internal import Imaging
internal import Model
internal import Support
internal import Synchronization
internal import SystemPackage
internal import Testing

@Suite("A survey of an image")
struct SurveyTests {
  private let folder: TemporaryFolder
  private let rule = ContentHash(of: "rule")

  init() throws {
    folder = try TemporaryFolder()
    try folder.write("tree/a", Array("first".utf8))
    try folder.write("tree/b", Array("second".utf8))
  }

  /// What a survey found, with the contents that it searched.
  private func look(
    known: KnownContents, finding found: String? = nil, spoiling text: String? = nil
  ) throws -> (survey: ImageSurvey, searched: [String], image: ImageContents) {
    let tree = try scanTree(of: folder / "tree")
    let disk = folder / "disk-\(UUID().uuidString)"
    _ = try writeImage(of: tree, to: disk, options: smallOptions(mebibytes: 16))
    if let text { try spoil(text, in: disk) }
    let image = try readImage(at: disk)
    let searched = Mutex<[String]>([])
    let result = try survey(image, against: tree, known: known, jobs: 2) { _, part in
      let text = String(decoding: part, as: UTF8.self)
      searched.withLock { $0.append(text) }
      return text == found
    }
    return (result, searched.withLock { $0.sorted() }, image)
  }

  /// Changes the first byte of a text that stands in a file once.
  private func spoil(_ text: String, in disk: FilePath) throws {
    let place = try #require(
      try Data(contentsOf: URL(fileURLWithPath: disk.string)).range(of: Data(text.utf8)))
    let file = try FileDescriptor.open(disk, .writeOnly)
    try file.closeAfter { _ = try file.writeAll(toAbsoluteOffset: Int64(place.lowerBound), [0x21]) }
  }

  @Test("does not search again what nobody touched")
  func untouched() throws {
    let first = try look(known: KnownContents(rule: rule))
    #expect(first.searched == ["first", "second"])
    let known = try #require(KnownContents(bytes: first.survey.known.bytes))
    #expect(known == first.survey.known && known.count == 2 && known.rule == rule)
    let second = try look(known: known)
    #expect(second.searched.isEmpty)
    #expect(second.survey.contents == first.survey.contents)
    #expect(second.survey.differing.isEmpty && second.survey.known == known)
  }

  @Test("searches what was changed, though neither its size nor its time tells")
  func touched() throws {
    let known = try look(known: KnownContents(rule: rule)).survey.known
    let file = (folder / "tree/b").string
    let time = try FileManager.default.attributesOfItem(atPath: file)[.modificationDate]
    let handle = try FileDescriptor.open(FilePath(file), .writeOnly)
    try handle.closeAfter { _ = try handle.writeAll("SECOND".utf8) }
    try FileManager.default.setAttributes([.modificationDate: time as Any], ofItemAtPath: file)
    let again = try look(known: known)
    #expect(again.searched == ["SECOND"])
    #expect(again.survey.contents.contains(ContentHash(of: "SECOND")))
  }

  @Test("searches again what held something")
  func found() throws {
    let first = try look(known: KnownContents(rule: rule), finding: "first")
    #expect(try look(known: first.survey.known).searched == ["first"])
  }

  @Test("compares what it knows with what is on the disk")
  func spoilt() throws {
    let known = try look(known: KnownContents(rule: rule)).survey.known
    let (survey, searched, image) = try look(known: known, spoiling: "second")
    let node = try #require(image.tree.entries.first { $0.path == Array("b".utf8) }?.node)
    #expect(survey.differing == [node])
    #expect(searched == ["!econd"] && survey.contents[node] == ContentHash(of: "!econd"))
    #expect(survey.known.count == 1)
  }

  @Test("takes no contents from bytes that were changed")
  func damaged() throws {
    let bytes = try look(known: KnownContents(rule: rule)).survey.known.bytes
    for place in stride(from: 0, to: bytes.count, by: 7) {
      var changed = bytes
      changed[place] ^= 1
      #expect(KnownContents(bytes: changed) == nil)
    }
    #expect(
      KnownContents(bytes: Array(bytes.dropLast(48))) == nil && KnownContents(bytes: []) == nil)
  }
}
