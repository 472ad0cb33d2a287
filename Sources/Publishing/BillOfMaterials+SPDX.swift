internal import Model

/// A document of SPDX 2.3. Source: the SPDX specification, version 2.3.
private struct SPDXDocument: Encodable {
  struct CreationInfo: Encodable {
    var created: Timestamp
    var creators: [String]
  }
  struct Checksum: Encodable {
    var algorithm = "SHA256"
    var checksumValue: ContentHash
  }
  struct ExternalRef: Encodable {
    var referenceCategory = "PACKAGE-MANAGER"
    var referenceType = "purl"
    var referenceLocator: String
  }
  struct Package: Encodable {
    var SPDXID: String
    var name: String
    var versionInfo: String?
    var downloadLocation = "NOASSERTION"
    var filesAnalyzed = false
    var checksums: [Checksum]?
    var licenseConcluded = "NOASSERTION"
    var licenseDeclared = "NOASSERTION"
    var copyrightText = "NOASSERTION"
    var supplier = "NOASSERTION"
    var sourceInfo: String?
    var externalRefs: [ExternalRef]?
    var primaryPackagePurpose: String?
  }
  struct Relationship: Encodable {
    var spdxElementId: String
    var relationshipType: String
    var relatedSpdxElement: String
  }
  struct ExtractedLicence: Encodable {
    var licenseId: String
    var name: String
    var extractedText: String
  }

  var spdxVersion = "SPDX-2.3"
  var dataLicense = "CC0-1.0"
  var SPDXID = "SPDXRef-DOCUMENT"
  var name: String
  var documentNamespace: String
  var creationInfo: CreationInfo
  var packages: [Package]
  var relationships: [Relationship]
  var hasExtractedLicensingInfos: [ExtractedLicence]
}

extension BillOfMaterials {
  /// The bill as SPDX 2.3 in JSON.
  public func spdx() throws -> [UInt8] {
    let (root, system) = ("SPDXRef-image", "SPDXRef-os")
    var packages = [
      SPDXDocument.Package(
        SPDXID: root, name: image, checksums: [SPDXDocument.Checksum(checksumValue: disk)],
        primaryPackagePurpose: "FILE"),
      SPDXDocument.Package(
        SPDXID: system, name: os.id, versionInfo: os.versionId,
        primaryPackagePurpose: "OPERATING-SYSTEM"),
    ]
    var names: [String: String] = [:]
    for item in items {
      let package = item.package
      let licence = Licence(package.licence)
      names.merge(licence.references) { first, _ in first }
      packages.append(
        SPDXDocument.Package(
          SPDXID: "SPDXRef-\(item.id)", name: package.name, versionInfo: package.version,
          checksums: [SPDXDocument.Checksum(checksumValue: package.sha256)],
          licenseDeclared: licence.expression,
          sourceInfo: package.source.map { "built from the source package \($0)" },
          externalRefs: [SPDXDocument.ExternalRef(referenceLocator: item.purl)]))
    }
    let contained = packages.dropFirst().map {
      SPDXDocument.Relationship(
        spdxElementId: root, relationshipType: "CONTAINS", relatedSpdxElement: $0.SPDXID)
    }
    return try json(
      SPDXDocument(
        name: image, documentNamespace: "urn:uuid:\(uuid)",
        creationInfo: SPDXDocument.CreationInfo(
          created: created, creators: ["Tool: \(builder.name)-\(builder.version)"]),
        packages: packages,
        relationships: [
          SPDXDocument.Relationship(
            spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES",
            relatedSpdxElement: root)
        ] + contained,
        hasExtractedLicensingInfos: names.sorted { $0.key < $1.key }.map { id, name in
          SPDXDocument.ExtractedLicence(
            licenseId: id, name: name,
            extractedText: "The package states '\(name)'; its text is in the image.")
        }))
  }
}
