internal import Content
internal import SystemPackage

/// The host's own configuration of apt: its sources, its keys and its proxies.
struct HostApt: Sendable {
  /// Usually `/etc/apt`.
  let folder: FilePath

  /// The entries of `sources.list` and `sources.list.d`, in apt's order.
  func sources() throws(ResolvingFailure) -> [AptSource] {
    var all: [AptSource] = []
    let main = folder.appending("sources.list")
    if exists(main) { all += AptSource.entries(ofList: try text(of: main)) }
    for name in try list("sources.list.d") {
      let file = folder.appending("sources.list.d").appending(name)
      if name.hasSuffix(".list") { all += AptSource.entries(ofList: try text(of: file)) }
      if name.hasSuffix(".sources") { all += AptSource.entries(ofDeb822: try text(of: file)) }
    }
    return all
  }

  /// The files of keys that apt trusts for sources without Signed-By.
  func trustedKeys() throws(ResolvingFailure) -> [FilePath] {
    let single = folder.appending("trusted.gpg")
    let parts = try list("trusted.gpg.d").filter { $0.hasSuffix(".gpg") || $0.hasSuffix(".asc") }
    return (exists(single) ? [single] : [])
      + parts.map { folder.appending("trusted.gpg.d").appending($0) }
  }

  /// apt's settings, `Acquire::http::Proxy` and the like, as `apt-config dump` prints them.
  func settings(scratch: FilePath) async throws -> [String: String] {
    let config = scratch.appending("host-apt.conf")
    try write("Dir::Etc \"\(folder)\";\n", to: config)
    let result = try await run(
      "apt-config", ["dump", "--format", "%F=%v%n"],
      environment: .clean(["APT_CONFIG": config.string]))
    guard result.isSuccess else { throw result.failure(of: "apt-config") }
    var settings: [String: String] = [:]
    for line in result.output.split(whereSeparator: \.isNewline) {
      guard let equals = line.firstIndex(of: "=") else { continue }
      settings[line[..<equals].lowercased()] = String(line[line.index(after: equals)...])
    }
    return settings
  }

  private func list(_ name: String) throws(ResolvingFailure) -> [String] {
    let path = folder.appending(name)
    guard exists(path) else { return [] }
    do { return try names(in: path) } catch {
      throw .io(operation: "list", path: path.string, reason: "\(error)")
    }
  }
}

/// Where apt finds its proxies, for who fetches on our behalf.
public struct AptProxies: Sendable, Equatable {
  /// Scheme (`http`, `https`) → the proxy's address.
  public var byScheme: [String: String] = [:]
  /// Host → its proxy's address, or nil where it is to be reached directly.
  public var byHost: [String: String?] = [:]

  public init() {}

  /// Reads apt's settings. Source: apt-transport-http(1), apt-transport-https(1).
  init(settings: [String: String]) {
    for (key, value) in settings {
      let parts = key.split(separator: ":").map(String.init)
      guard parts.count >= 3, parts[0] == "acquire", ["http", "https"].contains(parts[1]),
        parts[2] == "proxy", !value.isEmpty
      else { continue }
      let address = value.lowercased() == "direct" ? nil : value
      if parts.count == 4 {
        byHost[parts[3]] = .some(address)
      } else if let address {
        byScheme[parts[1]] = address
      }
    }
  }
}
