public import Model

/// A package's purl: the name by which scanners look up its weaknesses.
///
/// Source: the package URL specification, "purl types" deb, npm, pypi and generic.
public func packageURL(of package: Manifest.Package, os: Manifest.OperatingSystem) -> String {
  if let purl = package.purl { return purl }
  let version = percentEncoded(package.version)
  switch package.type {
  case .deb:
    var text = "pkg:deb/\(percentEncoded(os.id))/\(percentEncoded(package.name))@\(version)"
    let qualifiers = [
      ("arch", package.arch), ("distro", "\(os.id)-\(os.versionId)"),
      ("upstream", package.source == package.name ? nil : package.source),
    ]
    let parts = qualifiers.compactMap { name, value in value.map { "\(name)=\(percentEncoded($0))" }
    }
    text += "?" + parts.joined(separator: "&")
    return text
  case .npm:
    let name = package.name.split(separator: "/").map(percentEncoded).joined(separator: "/")
    return "pkg:npm/\(name)@\(version)"
  case .wheel:
    let name = package.name.lowercased().replacing("_", with: "-")
    return "pkg:pypi/\(percentEncoded(name))@\(version)"
  case .archive, .file: return "pkg:generic/\(percentEncoded(package.name))@\(version)"
  }
}

/// Keeps letters, digits and `.-_~:`; all else becomes `%XX`.
private func percentEncoded(_ text: some StringProtocol) -> String {
  text.utf8.map { byte in
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
      UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: ":"):
      String(UnicodeScalar(byte))
    default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }
  }.joined()
}
