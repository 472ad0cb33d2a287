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

  /// apt's whole configuration, as `apt-config dump` prints it: `Acquire::http::Proxy "…";`.
  func configuration(scratch: FilePath) async throws -> String {
    let config = scratch.appending("host-apt.conf")
    try write("Dir::Etc \"\(folder)\";\n", to: config)
    let result = try await run(
      "apt-config", ["dump"], environment: .clean(["APT_CONFIG": config.string]))
    guard result.isSuccess else { throw result.failure(of: "apt-config") }
    return result.output
  }

  /// Whether apt refuses Release files whose Valid-Until has passed.
  func checksExpiry(scratch: FilePath) async throws -> Bool {
    let lines = try await configuration(scratch: scratch).split(whereSeparator: \.isNewline)
    let value = lines.last { $0.lowercased().hasPrefix("acquire::check-valid-until ") }
    return !["false", "0", "no"].contains { value?.hasSuffix("\"\($0)\";") == true }
  }

  private func list(_ name: String) throws(ResolvingFailure) -> [String] {
    let path = folder.appending(name)
    guard exists(path) else { return [] }
    do { return try names(in: path) } catch {
      throw .io(operation: "list", path: path.string, reason: "\(error)")
    }
  }
}
