import Foundation
import Model
import Publishing
import Support
import Testing

@Suite("A manifest")
struct ManifestTests {
  @Test func readsWhatItWrites() throws {
    let manifest = sampleManifest()
    let bytes = try json(manifest)
    #expect(bytes.last == UInt8(ascii: "\n"))
    #expect(try JSONDecoder().decode(Manifest.self, from: Data(bytes)) == manifest)
    #expect(try json(manifest) == bytes)
  }

  @Test func namesItsPackagesInOrderAndCountsThem() {
    let inputs = sampleManifest().inputs
    #expect(inputs.packages.map(\.name).prefix(2) == ["libssl3", "xvfb"])
    #expect(inputs.packageCount == ["deb": 2, "npm": 1, "wheel": 1])
  }

  @Test func saysNullForNoPreviousRelease() throws {
    let text = String(decoding: try json(sampleManifest()), as: UTF8.self)
    #expect(text.contains("\"previous\" : null"))
  }

  @Test func ignoresMembersThatItDoesNotKnow() throws {
    var text = String(decoding: try json(sampleManifest()), as: UTF8.self)
    text.replace("{", with: "{ \"novelty\" : [1, { }],", maxReplacements: 1)
    #expect(try JSONDecoder().decode(Manifest.self, from: Data(text.utf8)) == sampleManifest())
  }

  @Test("is valid by its schema", hasJSONSchema)
  func isValidByItsSchema() throws {
    let folder = try TemporaryFolder()
    let published = try Catalog(store: folder / "store").publishSample().release
    #expect(try schemaErrors(published.folder.appending("manifest.json").string) == "")
  }

  @Test("of the documentation is what we write")
  func exampleIsWhatWeWrite() throws {
    let folder = try TemporaryFolder()
    let catalog = Catalog(store: folder / "store")
    try catalog.publishSample(inputs: "yesterday's")
    let today = try catalog.publishSample(at: Timestamp(seconds: sampleTime.seconds + 86400))
    let manifest = try text(today.release.folder.appending("manifest.json"))
    try expectGolden(manifest, "../../../manifests/example.json")
  }

  @Test("of the documentation is valid", hasJSONSchema)
  func exampleIsValid() throws {
    #expect(try schemaErrors(fixture("../../manifests/example.json").path) == "")
  }

  @Test(
    "with a fault is refused by its schema", hasJSONSchema,
    arguments: [
      ("\"rootfs.ext4\"", "\"../rootfs.ext4\""), ("\"20260701.001\"", "\"20260701.1\""),
      ("\"sequence\" : 1", "\"sequence\" : 0"), ("\"phase\" : \"image\"", "\"phase\" : \"moon\""),
      ("\"result\" : \"passed\"", "\"result\" : \"failed\""), ("\"x86_64\"", "\"i386\""),
      ("\"virtualSize\" : 65536", "\"virtualSize\" : 9007199254740993"),
      ("\"virtualSize\" : 65536", "\"virtualSize\" : 65537"), ("\"masked\"", "\"gone\""),
      ("\"buildId\"", "\"buildID\""), ("\"arch\" : \"amd64\"", "\"arc\" : \"amd64\""),
    ])
  func faultIsRefused(old: String, new: String) throws {
    let folder = try TemporaryFolder()
    let published = try Catalog(store: folder / "store").publishSample().release
    let text = try text(published.folder.appending("manifest.json"))
    let changed = text.replacing(old, with: new, maxReplacements: 1)
    try #require(changed != text)
    let file = try folder.write("changed.json", changed)
    #expect(try schemaErrors(file.string) != "")
  }
}

/// Whether Python has the judge of JSON schemas; `scripts/install-judges` brings it.
let hasJSONSchema: ConditionTrait = .enabled(
  if: hasPythonModule("jsonschema"), "python3 has no module jsonschema: run scripts/install-judges")

/// What `jsonschema` has against a file; empty when nothing.
private func schemaErrors(_ path: String) throws -> String {
  let program = """
    import json, sys, jsonschema
    schema = json.load(open(sys.argv[1]))
    jsonschema.Draft202012Validator.check_schema(schema)
    for error in jsonschema.Draft202012Validator(schema).iter_errors(json.load(open(sys.argv[2]))):
        print(error.json_path, error.message[:200])
    """
  let result = try runPython([
    "-c", program, fixture("../../manifests/manifest.schema.json").path, path,
  ])
  return result.status == 0 ? result.output : "status \(result.status): \(result.errors)"
}
