internal import Model
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// A registry as the host's npm sees it: address, scopes, proxies and tokens are npm's own business,
/// so that none of them passes through our hands.
struct NPMRegistry: Sendable {
  /// Scope → address, and the address of packages without one under an empty name; all end with `/`.
  private let addresses: [String: String]
  /// Addresses without their scheme for which npm has credentials: `//host/path/`.
  private let protected: Set<String>
  /// Arguments for every call.
  private let arguments: [String]
  private let environment: [String: String]

  /// Asks npm for its configuration.
  ///
  /// - Parameters:
  ///   - address: goes before what npm's configuration says of packages without a registry of their own.
  ///   - folder: receives npm's cache, which is not the user's.
  ///   - isOffline: npm asks nobody, and fails where it would have to.
  init(address: String?, folder: FilePath, isOffline: Bool) async throws {
    environment = Self.environment(cache: folder.appending("npm-cache"))
    let plain = (address.map { ["--registry", $0] } ?? []) + (isOffline ? ["--offline"] : [])
    arguments =
      [
        "--json", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress",
        "--loglevel=error",
        "--fetch-retries=3", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=10000",
      ] + plain
    let result = try await run(
      "npm", ["config", "ls"] + arguments, environment: .clean(environment))
    guard result.isSuccess, let settings = try? JSONNode.parse(result.output),
      case .object(let members) = settings.value
    else { throw result.failure(of: "npm") }  // whatever it printed is in the error
    var addresses = ["": address ?? members["registry"]?.string ?? ""]
    for (key, value) in members where key.hasPrefix("@") && key.hasSuffix(":registry") {
      addresses[String(key.dropLast(":registry".count))] = value.string
    }
    // Only the text, not the JSON, tells that there are secrets, and never which.
    let text = try await run(
      "npm", ["config", "ls"] + plain, environment: .clean(environment))
    guard text.isSuccess else { throw text.failure(of: "npm") }
    protected = Set(
      text.output.split(separator: "\n").compactMap { line in
        line.firstMatch(of: #/^(//.+):[^:\s]+ = \(protected\)$/#).map { String($0.1) }
      })
    self.addresses = addresses.mapValues { $0.hasSuffix("/") ? $0 : $0 + "/" }
  }

  /// Runs a command of npm.
  func npm(_ command: [String]) async throws -> ProgramResult {
    try await run("npm", command + arguments, environment: .clean(environment))
  }

  /// Whether npm shows credentials to what lies at an address.
  func isProtected(_ url: String) -> Bool {
    protected.contains { url.drop { $0 != "/" }.hasPrefix($0) }
  }

  /// The tarball of a package as npm fetches it, credentials and all.
  ///
  /// - Parameter folder: receives it.
  func tarball(of package: String, _ version: String, in folder: FilePath) async throws -> [UInt8] {
    let result = try await npm([
      "pack", "\(package)@\(version)", "--pack-destination", folder.string, "--prefer-online",
    ])
    guard result.isSuccess else {
      guard let error = NPMError(result) else { throw result.failure(of: "npm") }
      throw error.isTransient
        ? ResolvingFailure.unreachable(name: "npm \(package) \(version)", reason: error.summary)
        : .failed(program: "npm", status: "failed (\(error.code))", output: error.summary)
    }
    guard let name = (try? JSONNode.parse(result.output))?.array?.first?["filename"]?.string
    else { throw result.failure(of: "npm") }  // whatever it printed is in the error
    let file = folder.appending(
      name.replacing("@", with: "").replacing("/", with: "-"))
    return try bytes(of: file)
  }

  /// Where the registry of a package is.
  func address(of package: String) -> String {
    let scope = package.hasPrefix("@") ? String(package.prefix { $0 != "/" }) : ""
    return addresses[scope] ?? addresses[""] ?? ""
  }

  /// The path of a tarball from its registry's address on; where it lies elsewhere, the usual one.
  func path(of url: String, package: String) -> String? {
    let address = address(of: package)
    guard url.hasPrefix(address) else {
      let name = package.split(separator: "/").last ?? ""
      guard let file = url.split(separator: "/").last, file.hasPrefix(name) else { return nil }
      return "\(package)/-/\(file.prefix { $0 != "?" && $0 != "#" })"
    }
    return String(url.dropFirst(address.count).prefix { $0 != "?" && $0 != "#" })
  }

  /// Our own variables without those that would change what npm does beyond its configuration.
  private static func environment(cache: FilePath) -> [String: String] {
    var all: [String: String] = [:]
    var entry = environ
    while let pair = entry.pointee {
      let text = String(cString: pair)
      if let equals = text.firstIndex(of: "=") {
        all[String(text[..<equals])] = String(text[text.index(after: equals)...])
      }
      entry += 1
    }
    for key in all.keys
    where ["NODE_OPTIONS", "NODE_PATH", "INIT_CWD"].contains(key) || key.hasPrefix("npm_package_")
      || key.hasPrefix("npm_lifecycle_")
    {
      all[key] = nil
    }
    return all.merging([
      "npm_config_cache": cache.string, "npm_config_logs_max": "0",
      "npm_config_update_notifier": "false", "LC_ALL": "C.UTF-8",
    ]) { $1 }
  }
}

/// What npm says when something went wrong.
struct NPMError: Sendable, Equatable {
  /// npm's own word: `E404`, `ETARGET`, `ECONNREFUSED`.
  var code: String
  var summary: String

  init?(_ result: ProgramResult) {
    guard let start = result.output.firstIndex(of: "{"),
      // Output that is not JSON says nothing that we could read; the caller shows it as it is.
      let error = (try? JSONNode.parse(String(result.output[start...])))?["error"],
      let code = error["code"]?.string
    else { return nil }
    self.code = code
    summary = withoutCredentials(error["summary"]?.string ?? code)
  }

  /// Whether trying again later may help.
  var isTransient: Bool {
    let codes = [
      "ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH",
      "EHOSTUNREACH", "ENOTCACHED", "ERR_SOCKET_TIMEOUT", "FETCH_ERROR", "E429", "ECONNABORTED",
    ]
    return codes.contains(code) || code.hasPrefix("E5")
  }
}

/// A text whose addresses name no user and no password.
private func withoutCredentials(_ text: String) -> String {
  text.replacing(/\/\/[^\/@\s]+@/, with: "//")
}
