internal import Model

/// A document of CycloneDX 1.6. Source: the CycloneDX specification, ECMA-424.
private struct CycloneDXDocument: Encodable {
  struct Hash: Encodable {
    var alg = "SHA-256"
    var content: ContentHash
  }
  struct NamedLicence: Encodable { var name: String }
  struct Licence: Encodable {
    var expression: String?
    var license: NamedLicence?
  }
  struct Property: Encodable {
    var name: String
    var value: String
  }
  struct Component: Encodable {
    var type: String
    var reference: String
    var group: String?
    var name: String
    var version: String?
    var hashes: [Hash]?
    var licenses: [Licence]?
    var purl: String?
    var properties: [Property]?

    private enum CodingKeys: String, CodingKey {
      case type, group, name, version, hashes, licenses, purl, properties
      case reference = "bom-ref"
    }
  }
  struct Tool: Encodable {
    var type = "application"
    var name: String
    var version: String
  }
  struct Tools: Encodable { var components: [Tool] }
  struct Metadata: Encodable {
    var timestamp: Timestamp
    var tools: Tools
    var component: Component
  }
  struct Dependency: Encodable {
    var ref: String
    var dependsOn: [String]
  }

  var bomFormat = "CycloneDX"
  var specVersion = "1.6"
  var serialNumber: String
  var version = 1
  var metadata: Metadata
  var components: [Component]
  var dependencies: [Dependency]
}

extension BillOfMaterials {
  /// The bill as CycloneDX 1.6 in JSON.
  public func cycloneDX() throws -> [UInt8] {
    // No purl on the system: readers take it for a package otherwise.
    let system = CycloneDXDocument.Component(
      type: "operating-system", reference: "os", name: os.id, version: os.versionId)
    let components = [system] + items.map(component)
    return try json(
      CycloneDXDocument(
        serialNumber: "urn:uuid:\(uuid)",
        metadata: CycloneDXDocument.Metadata(
          timestamp: created,
          tools: CycloneDXDocument.Tools(components: [
            CycloneDXDocument.Tool(name: builder.name, version: builder.version)
          ]),
          component: CycloneDXDocument.Component(
            type: "file", reference: "image", name: image,
            hashes: [CycloneDXDocument.Hash(content: disk)])),
        components: components,
        dependencies: [
          CycloneDXDocument.Dependency(ref: "image", dependsOn: components.map(\.reference))
        ]))
  }

  private func component(_ item: Item) -> CycloneDXDocument.Component {
    let package = item.package
    let parts = package.type == .npm ? package.name.split(separator: "/") : []
    let licence = Licence(package.licence)
    let licences: [CycloneDXDocument.Licence]? =
      if package.licence == nil {
        nil
      } else if licence.references.isEmpty {
        [CycloneDXDocument.Licence(expression: licence.expression)]
      } else {
        [
          CycloneDXDocument.Licence(
            license: CycloneDXDocument.NamedLicence(name: package.licence ?? ""))
        ]
      }
    return CycloneDXDocument.Component(
      type: "library", reference: item.id, group: parts.count == 2 ? String(parts[0]) : nil,
      name: parts.count == 2 ? String(parts[1]) : package.name, version: package.version,
      hashes: [CycloneDXDocument.Hash(content: package.sha256)], licenses: licences,
      purl: item.purl,
      properties: package.source.map {
        [CycloneDXDocument.Property(name: "golden:source-package", value: $0)]
      })
  }
}
