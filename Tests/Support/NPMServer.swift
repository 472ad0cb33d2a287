internal import Content
internal import Foundation
internal import Synchronization

/// An npm registry on 127.0.0.1 for tests; its packages are made in code.
///
/// Faults of the network are `server`'s, on `path(of:_:)` and `documentPath(of:)`; a wrong integrity
/// and a version that is withdrawn are this class's own.
public final class NPMServer: Sendable {
  /// One version of a package.
  public struct Package: Sendable {
    public var name: String
    public var version: String
    /// Further members of package.json, as JSON: `"bin": {"a": "a.js"}`.
    public var manifest: String
    /// Path in the package → file; package.json is added.
    public var files: [String: TarFile]

    public init(
      _ name: String, _ version: String, manifest: String = "", files: [String: TarFile] = [:]
    ) {
      self.name = name
      self.version = version
      self.manifest = manifest
      self.files = files
    }

    var json: String {
      "{\"name\": \"\(name)\", \"version\": \"\(version)\""
        + (manifest.isEmpty ? "" : ", \(manifest)") + "}\n"
    }

    /// The tarball's bytes.
    var tarball: [UInt8] {
      var all = files
      all["package.json"] = TarFile(json)
      return tarGzip(
        Dictionary(uniqueKeysWithValues: all.map { ("package/\($0.key)", $0.value) }))
    }
  }

  struct State {
    var packages: [String: [Package]] = [:]
    var latest: [String: String] = [:]
    var forged: Set<String> = []
    var token: String?
  }

  final class Shelf: Sendable {
    let state = Mutex(State())
  }

  private let shelf = Shelf()
  public let server: LoopbackServer

  public init(_ packages: [Package] = []) throws {
    server = try LoopbackServer { [shelf] in shelf.answer(to: $0) }
    for package in packages { publish(package) }
  }

  public var url: String { server.url("/") }

  /// Adds a version; the newest that is no prerelease becomes `latest`.
  public func publish(_ package: Package) {
    shelf.state.withLock { state in
      state.packages[package.name, default: []].append(package)
      if !package.version.contains("-") { state.latest[package.name] = package.version }
    }
  }

  /// Withdraws versions: every one of the package without a version.
  public func yank(_ name: String, _ version: String? = nil) {
    shelf.state.withLock { state in
      state.packages[name]?.removeAll { version == nil || $0.version == version }
      state.latest[name] = state.packages[name]?.last { !$0.version.contains("-") }?.version
      if state.packages[name]?.isEmpty == true { state.packages[name] = nil }
    }
  }

  /// Lets the registry promise other bytes than those of the tarball.
  public func forge(_ name: String, _ version: String) {
    shelf.state.withLock { _ = $0.forged.insert("\(name)@\(version)") }
  }

  /// Answers from now on only those who show a token.
  public func require(token: String) { shelf.state.withLock { $0.token = token } }

  /// The path of a tarball.
  public static func path(of name: String, _ version: String) -> String {
    "/\(name)/-/\(name.split(separator: "/").last ?? "")-\(version).tgz"
  }

  /// The path of what the registry says of a package.
  public static func documentPath(of name: String) -> String {
    "/" + name.replacingOccurrences(of: "/", with: "%2f")
  }
}

extension NPMServer.Shelf {
  func answer(to request: LoopbackServer.Request) -> LoopbackServer.Response? {
    if let token = state.withLock({ $0.token }),
      request.headers["authorization"] != "Bearer \(token)"
    {
      return LoopbackServer.Response(status: 401, body: Array("{\"error\": \"who?\"}".utf8))
    }
    let path = (request.path.removingPercentEncoding ?? request.path).dropFirst()
    if path.hasSuffix(".tgz") { return tarball(at: "/" + path) }
    let (packages, latest, forged) = state.withLock { state in
      (state.packages[String(path)] ?? [], state.latest[String(path)], state.forged)
    }
    guard !packages.isEmpty else {
      return LoopbackServer.Response(
        status: 404, headers: ["Content-Type": "application/json"],
        body: Array("{\"error\": \"Not found\"}".utf8))
    }
    let base = "http://\(request.headers["host"] ?? "")"
    var versions: [String] = []
    for package in packages {
      let isForged = forged.contains("\(package.name)@\(package.version)")
      let promise = integrity(of: isForged ? Array("forged".utf8) : package.tarball)
      let hasScript = package.manifest.contains("install\": \"")
      versions.append(
        """
        "\(package.version)": \(package.json.dropLast(2)), "dist": {"integrity": "\(promise)",
        "tarball": "\(base)\(NPMServer.path(of: package.name, package.version))"}
        \(hasScript ? ", \"hasInstallScript\": true" : "")}
        """)
    }
    let tags = latest.map { "\"latest\": \"\($0)\"" } ?? ""
    return LoopbackServer.Response(
      headers: ["Content-Type": "application/json"],
      body: Array(
        """
        {"name": "\(path)", "dist-tags": {\(tags)}, "versions": {\(versions.joined(separator: ","))}}
        """.utf8))
  }

  private func tarball(at path: String) -> LoopbackServer.Response? {
    let package = state.withLock { state in
      state.packages.values.joined().first { NPMServer.path(of: $0.name, $0.version) == path }
    }
    return package.map { LoopbackServer.Response(body: $0.tarball) }
  }
}
