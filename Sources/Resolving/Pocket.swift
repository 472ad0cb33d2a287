internal import Model
internal import SystemPackage

/// A suite or one of its pockets, and where it lives: what one InRelease file describes.
struct Pocket: Sendable, Equatable {
  /// The suite's name, such as `bookworm-security`.
  var id: String
  /// Equal base addresses, without a slash at the end.
  var bases: [String]
  var components: [String]
  var keyring: Keyring
  /// False: the host's administrator accepts Release files whose Valid-Until has passed.
  var checksExpiry = true

  func urls(of path: String) -> [String] { bases.map { "\($0)/\(percentEncoded(path))" } }
}

/// Where each pocket of a recipe may live, in the recipe's order.
///
/// The host's sources may hold several that bear one suite's name, among them repositories of third
/// parties: the origin in their Release files tells them apart. Other mirrors give one each.
func candidates(
  for base: Recipe.Base, host: HostApt, scratch: FilePath
) async throws -> [[Pocket]] {
  if base.snapshot != nil {
    throw ResolvingFailure.faulty([
      Diagnostic(at: base.position, "'snapshot' is not supported yet")
    ])
  }
  let suites = [base.suite] + base.pockets.map { "\(base.suite)-\($0)" }
  switch base.mirror {
  case .addresses(let addresses):
    let keyring = try keyring(of: base)
    return suites.map { suite in
      let isSecurity = suite == "\(base.suite)-security" && !base.securityMirror.isEmpty
      return [
        Pocket(
          id: suite, bases: (isSecurity ? base.securityMirror : addresses).map(withoutSlash),
          components: base.components, keyring: keyring)
      ]
    }
  case .host:
    let checksExpiry = try await host.checksExpiry(scratch: scratch)
    let sources = try host.sources()
    var all: [[Pocket]] = []
    var faults: [Diagnostic] = []
    for suite in suites {
      let found = matching(sources, suite: suite, base: base)
      all.append(
        try found.map { source in
          try Pocket(
            id: suite, bases: source.uris.uniqued, components: base.components,
            keyring: base.keyring.map { Keyring(files: [FilePath($0)]) }
              ?? host.keyring(of: source.signedBy),
            checksExpiry: source.checksExpiry ?? checksExpiry)
        })
      guard found.isEmpty else { continue }
      faults.append(
        Diagnostic(
          at: base.position,
          "the host's apt sources have no '\(suite)' with "
            + base.components.map { "'\($0)'" }.joined(separator: ", "),
          hint: "give 'mirror' an address, or leave the pocket out"))
    }
    guard faults.isEmpty else { throw ResolvingFailure.faulty(faults) }
    return all
  }
}

/// The host's entries that are the suite with all components, of which some files have a line each.
private func matching(
  _ sources: [AptSource], suite: String, base: Recipe.Base
) -> [AptSource] {
  var found: [AptSource] = []
  for source in sources
  where source.suites.contains(suite)
    && (source.architectures.isEmpty || source.architectures.contains(base.architecture))
  {
    let same = found.firstIndex { $0.uris == source.uris && $0.signedBy == source.signedBy }
    if let same { found[same].components += source.components } else { found.append(source) }
  }
  return found.filter { Set($0.components).isSuperset(of: base.components) }
}

extension HostApt {
  fileprivate func keyring(of signedBy: SignedBy?) throws(ResolvingFailure) -> Keyring {
    switch signedBy {
    case .files(let paths): Keyring(files: paths.map { FilePath($0) })
    case .inline(let key): Keyring(texts: [key])
    case .fingerprints(let all): Keyring(files: try trustedKeys(), fingerprints: all)
    case nil: Keyring(files: try trustedKeys())
    }
  }
}

/// The recipe's keyring, or the distribution's from the host.
private func keyring(of base: Recipe.Base) throws(ResolvingFailure) -> Keyring {
  if let own = base.keyring { return Keyring(files: [FilePath(own)]) }
  let file = FilePath("/usr/share/keyrings/\(base.distribution.rawValue)-archive-keyring.gpg")
  guard exists(file) else {
    throw .faulty([
      Diagnostic(
        at: base.position, "there is no keyring '\(file)'",
        hint: "install the package '\(base.distribution.keyringPackage)', or name a 'keyring'")
    ])
  }
  return Keyring(files: [file])
}

extension Recipe.Base.Distribution {
  fileprivate var keyringPackage: String {
    switch self {
    case .debian: "debian-archive-keyring"
    case .ubuntu: "ubuntu-keyring"
    }
  }
}

extension Array where Element: Hashable {
  /// Without later copies of the same element.
  var uniqued: [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}

/// A path as part of a URL: what is not unreserved there becomes `%xx`.
func percentEncoded(_ path: String) -> String {
  let digits = Array("0123456789ABCDEF".utf8)
  var text: [UInt8] = []
  for byte in path.utf8 {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "/"):
      text.append(byte)
    default: text += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
  }
  return String(decoding: text, as: UTF8.self)
}

/// The inverse of `percentEncoded`; a `%` that no two digits follow stays.
func percentDecoded(_ text: some StringProtocol) -> String {
  let bytes = Array(text.utf8)
  var decoded: [UInt8] = []
  var index = 0
  while index < bytes.count {
    if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
      let value = UInt8(String(decoding: bytes[index + 1...index + 2], as: UTF8.self), radix: 16)
    {
      decoded.append(value)
      index += 3
    } else {
      decoded.append(bytes[index])
      index += 1
    }
  }
  return String(decoding: decoded, as: UTF8.self)
}
