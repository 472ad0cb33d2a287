internal import Crypto
public import Model

/// The software in an image, as scanners and auditors want it: one list, two formats.
///
/// It names the image by its hash, not by its version, so that equal images have equal bills; its date
/// is `SOURCE_DATE_EPOCH`.
public struct BillOfMaterials: Sendable, Equatable {
  struct Item: Sendable, Equatable {
    /// Unique in the bill; letters, digits, `.` and `-`.
    var id: String
    var package: Manifest.Package
    var purl: String
  }

  var image: String
  var disk: ContentHash
  var os: Manifest.OperatingSystem
  var created: Timestamp
  var builder: Manifest.Builder
  var items: [Item]

  /// Takes the packages of a manifest, which need no version yet.
  public init(of manifest: Manifest) {
    image = manifest.image.name
    disk = manifest.disk.sha256
    os = manifest.os
    created = Timestamp(seconds: manifest.reproducibility.sourceDateEpoch)
    builder = manifest.builder
    items = []
    var taken: [String: Int] = [:]
    for package in manifest.inputs.packages {
      let name = [package.type.rawValue, package.name, package.arch].compactMap(\.self)
      let id = String(
        decoding: name.joined(separator: "-").utf8.map { isPlain($0) ? $0 : UInt8(ascii: "-") },
        as: UTF8.self)
      taken[id, default: 0] += 1
      let count = taken[id] ?? 1
      items.append(
        Item(
          id: count == 1 ? id : "\(id)-\(count)", package: package,
          purl: packageURL(of: package, os: manifest.os)))
    }
  }

  /// A name for the bill: a UUID of version 5 over the image's hash. Source: RFC 9562.
  var uuid: String {
    // Of this program: any fixed UUID does.
    let space: [UInt8] = [
      0x4F, 0x0B, 0xC1, 0x6A, 0x2D, 0x53, 0x4B, 0x8E, 0x9A, 0x71, 0x3E, 0x5C, 0xD0, 0x42, 0x88,
      0x17,
    ]
    var bytes = Array(Insecure.SHA1.hash(data: space + Array(disk.hex.utf8)).prefix(16))
    bytes[6] = bytes[6] & 0x0F | 0x50
    bytes[8] = bytes[8] & 0x3F | 0x80
    let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
    return [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { digits[$0].joined() }
      .joined(separator: "-")
  }
}

private func isPlain(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"):
    true
  default: false
  }
}

extension Staging {
  /// Adds both forms of the bill of materials.
  public func add(_ bill: BillOfMaterials) throws {
    try add(
      bill.spdx(), as: "sbom.spdx.json", role: "sbom", mediaType: "application/spdx+json")
    try add(
      bill.cycloneDX(), as: "sbom.cdx.json", role: "sbom",
      mediaType: "application/vnd.cyclonedx+json; version=1.6")
  }
}
