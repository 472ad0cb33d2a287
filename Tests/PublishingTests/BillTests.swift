import Foundation
import Model
import Support
import Testing

@testable import Publishing

@Suite("A bill of materials")
struct BillTests {
  /// Packages with what trips readers: epochs, tildes, scopes, two architectures, odd licences.
  private static let packages =
    samplePackages + [
      Manifest.Package(
        type: .deb, name: "libstdc++6", version: "12.2.0-14+deb12u1", arch: "amd64",
        source: "gcc-12", sha256: ContentHash(of: "a"), licence: "GPL-3+ AND public-domain"),
      Manifest.Package(
        type: .deb, name: "libstdc++6", version: "12.2.0-14+deb12u1", arch: "i386",
        source: "gcc-12", sha256: ContentHash(of: "b"), licence: "as is, see file"),
      Manifest.Package(
        type: .archive, name: "node v20 (x64).tar.xz", version: "20.20.2",
        sha256: ContentHash(of: "c"), licence: "(MIT OR Apache-2.0) AND BSD-3-clause"),
    ]

  private let bill = BillOfMaterials(of: sampleManifest(packages: packages))

  @Test func isTheSameForTheSameImage() throws {
    let again = BillOfMaterials(of: sampleManifest(packages: Self.packages.reversed()))
    #expect(try bill.spdx() == again.spdx())
    #expect(try bill.cycloneDX() == again.cycloneDX())
    #expect(bill.uuid.count == 36)
    #expect(bill.uuid.split(separator: "-")[2].first == "5")
  }

  @Test(arguments: [
    (
      "libssl3",
      "pkg:deb/debian/libssl3@3.0.16-1~deb12u1?arch=amd64&distro=debian-12&upstream=openssl"
    ),
    ("openai-codex-cli-bin", "pkg:pypi/openai-codex-cli-bin@0.163.0"),
    ("@google/gemini-cli", "pkg:npm/%40google/gemini-cli@0.20.0"),
    ("node v20 (x64).tar.xz", "pkg:generic/node%20v20%20%28x64%29.tar.xz@20.20.2"),
  ])
  func namesEachPackageByItsURL(name: String, purl: String) throws {
    #expect(bill.items.first { $0.package.name == name }?.purl == purl)
  }

  @Test func npmPackagesAndDebsGetTheSameURLWithAndWithoutAGivenOne() {
    for var package in samplePackages {
      guard let given = package.purl else { continue }
      package.purl = nil
      #expect(packageURL(of: package, os: sampleManifest().os) == given)
    }
  }

  @Test(arguments: [
    (nil, "NOASSERTION"), ("MIT", "MIT"), ("Expat", "MIT"), ("GPL-2+", "GPL-2.0-or-later"),
    ("LGPL-2.1", "LGPL-2.1-only"), ("GPL-9", "LicenseRef-GPL-9"),
    ("(MIT OR Apache-2.0) AND BSD-3-clause", "(MIT OR Apache-2.0) AND BSD-3-Clause"),
    ("MIT AND AND MIT", "LicenseRef-MIT-AND-AND-MIT"), ("MIT)", "LicenseRef-MIT-"),
    ("GPL-2+ WITH something", "LicenseRef-GPL-2--WITH-something"),
    ("public-domain AND ISC", "LicenseRef-public-domain AND ISC"),
  ])
  func tellsLicencesInSPDXTerms(text: String?, expression: String) {
    #expect(Licence(text).expression == expression)
  }

  @Test(
    "is valid SPDX 2.3, and a corrupted one is not",
    .enabled(
      if: hasPythonModule("spdx_tools"),
      "python3 has no module spdx_tools: run scripts/install-judges"))
  func isValidSPDX() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("sbom.spdx.json", try bill.spdx())
    let program = """
      import json, sys
      from spdx_tools.spdx.parser.parse_anything import parse_file
      from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
      messages = validate_full_spdx_document(parse_file(sys.argv[1]))
      for message in messages: print(message.validation_message)
      data = json.load(open(sys.argv[1]))
      data["relationships"][1]["relatedSpdxElement"] = "SPDXRef-nowhere"
      json.dump(data, open(sys.argv[1], "w"))
      assert validate_full_spdx_document(parse_file(sys.argv[1])), "accepted a corrupted bill"
      """
    let verdict = try runPython(["-c", program, file.string])
    #expect(verdict.status == 0 && verdict.output == "", "\(verdict)")
  }

  @Test(
    "is valid CycloneDX 1.6, and a corrupted one is not",
    .enabled(
      if: hasPythonModule("cyclonedx.validation.json"),
      "python3 has no module cyclonedx: run scripts/install-judges"))
  func isValidCycloneDX() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("sbom.cdx.json", try bill.cycloneDX())
    let program = """
      import sys
      from cyclonedx.schema import SchemaVersion
      from cyclonedx.validation.json import JsonStrictValidator
      text = open(sys.argv[1]).read()
      validator = JsonStrictValidator(SchemaVersion.V1_6)
      error = validator.validate_str(text)
      if error: print(repr(error)[:1000])
      corrupted = text.replace('"SHA-256"', '"SHA-255"', 1)
      assert validator.validate_str(corrupted), "accepted a corrupted bill"
      """
    let verdict = try runPython(["-c", program, file.string])
    #expect(verdict.status == 0 && verdict.output == "", "\(verdict)")
  }

  @Test func travelsWithTheRelease() throws {
    let folder = try TemporaryFolder()
    let catalog = Catalog(store: folder / "store")
    let staging = try catalog.stage("browser")
    try Data(sampleDisk).write(to: URL(fileURLWithPath: staging.disk.string))
    try staging.add(bill)
    let release = try catalog.publish(staging, sampleManifest(), at: sampleTime).release
    #expect(release.manifest.documents.map(\.file) == ["sbom.cdx.json", "sbom.spdx.json"])
    try catalog.checkFiles(of: release)
  }
}
