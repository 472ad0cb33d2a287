internal import Content
internal import Foundation
internal import Model
public import SystemPackage

/// A small signed apt repository in a temporary folder, as Debian or Ubuntu lay theirs out.
///
///     let repository = try AptRepository(suite: "jammy", layout: .ubuntu)
///     try repository.add(AptPackage("base-files", isEssential: true))
///     try repository.add(AptPackage("bash", "5.1", depends: "base-files"), to: "security")
///     try repository.publish()
///     repository.url          // file:///tmp/…/archive: the base of the suite and its pockets
///     repository.keyring      // what may sign it
///
/// It needs `gpg`, `dpkg-deb`, `xz` and `gzip`; everything is removed with the last reference.
public final class AptRepository {
  public enum Layout: Sendable {
    /// Every pocket under one base; each pocket bears the suite as its Codename.
    case ubuntu
    /// `security` has a base of its own; each pocket has a Codename of its own.
    case debian
  }

  /// What is wrong with a pocket that `publish` writes.
  public struct Faults: Sendable {
    /// Changes a byte of the signed text after signing.
    public var isTampered = false
    /// Signs with a key that is not in `keyring`.
    public var isForged = false
    /// Leaves the text without any signature.
    public var isUnsigned = false
    /// Replaces `Suite` and `Codename`.
    public var suite: String?
    /// Changes a byte of the Packages indices, which keep their size.
    public var hasWrongIndexHash = false
    /// Adds bytes to the Packages indices.
    public var hasWrongIndexSize = false

    public init() {}
  }

  public let suite: String
  public let layout: Layout
  public let architecture: String
  /// The pockets beside the suite itself.
  public let pockets: [String]
  /// The first has the packages; the others are empty.
  public let components: [String]
  /// `file` address of the base of the suite and, for Ubuntu, of its pockets.
  public var url: String { "file://" + folder.path.appending("archive").string }
  /// `file` address of the base of the pocket `security`.
  public var securityURL: String { "file://" + base(of: "security").string }
  public let keyring: FilePath

  private let folder: TemporaryFolder
  private let good: SigningKey
  private var packages: [String: [AptPackage]] = [:]

  public init(
    suite: String = "jammy", layout: Layout = .ubuntu, pockets: [String] = ["updates", "security"],
    architecture: String = "amd64", components: [String] = ["main"]
  ) throws {
    self.suite = suite
    self.components = components
    self.layout = layout
    self.pockets = pockets
    self.architecture = architecture
    folder = try TemporaryFolder()
    good = try SigningKey(in: "key", of: folder)
    keyring = folder / "keyring.gpg"
    try good.export(to: keyring)
  }

  /// Adds a package to the suite (`pocket` empty) or to one of its pockets; `publish` shows it.
  public func add(_ package: AptPackage, to pocket: String = "") throws {
    precondition(pocket.isEmpty || pockets.contains(pocket), "no pocket '\(pocket)'")
    packages[pocket, default: []].append(package)
  }

  /// Adds a deb that is there already.
  public func add(deb file: FilePath, to pocket: String = "") throws {
    try add(AptPackage(deb: file), to: pocket)
  }

  /// Takes a package of any version out of a pocket; its deb stays in the pool.
  public func remove(_ name: String, from pocket: String = "") {
    packages[pocket]?.removeAll { $0.name == name }
  }

  /// Writes pool, indices and signed Release files of every pocket.
  ///
  /// - Parameters:
  ///   - date: seconds since 1970; `Date` of every Release file. Default: 2026-01-01.
  ///   - validUntil: seconds since 1970; `Valid-Until` of every Release file, nil for none.
  ///   - faults: what is wrong, by pocket (empty: the suite itself).
  ///
  /// Earlier indices stay reachable by their hashes, as on a real mirror.
  public func publish(
    date: Int = 1_767_225_600, validUntil: Int? = nil, faults: [String: Faults] = [:]
  ) throws {
    for pocket in [""] + pockets {
      try publish(
        pocket, date: date, validUntil: validUntil, faults: faults[pocket, default: Faults()])
    }
  }

  /// The file of a deb in the pool, for tests that damage it.
  public func deb(_ package: AptPackage, in pocket: String = "") -> FilePath {
    base(of: pocket).pushing(FilePath(package.path))
  }

  /// The folder with the Release files and indices of a pocket.
  public func dists(of pocket: String = "") -> FilePath {
    base(of: pocket).appending("dists").appending(name(of: pocket))
  }

  private func name(of pocket: String) -> String { pocket.isEmpty ? suite : "\(suite)-\(pocket)" }

  private func base(of pocket: String) -> FilePath {
    folder / (layout == .debian && pocket == "security" ? "archive-security" : "archive")
  }

  private func publish(
    _ pocket: String, date: Int, validUntil: Int?, faults: Faults
  ) throws {
    var index = ""
    for package in packages[pocket, default: []] {
      let bytes = try package.deb()
      try write(bytes, to: deb(package, in: pocket))
      index += package.control + "Filename: \(package.path)\nSize: \(bytes.count)\n"
      index += "SHA256: \(ContentHash(of: bytes))\n\n"
    }
    let dists = dists(of: pocket)
    var sums = ""
    for component in components {
      let text = component == components.first ? index : ""
      let plain = "\(component)/binary-\(architecture)/Packages"
      for (suffix, tool) in [("", nil), (".gz", "gzip"), (".xz", "xz")] {
        var bytes = Array(text.utf8)
        if let tool {
          let result = try pipe(tool, tool == "gzip" ? ["-cn"] : ["-c"], bytes)
          bytes = result
        }
        let hash = ContentHash(of: bytes)
        sums += " \(hash) \(bytes.count) \(plain)\(suffix)\n"
        if faults.hasWrongIndexHash, !bytes.isEmpty { bytes[bytes.count / 2] ^= 1 }
        if faults.hasWrongIndexSize { bytes += [10] }
        // As real mirrors do: the uncompressed index is named in the Release file, but not there.
        if suffix.isEmpty { continue }
        try write(bytes, to: dists.pushing(FilePath(plain + suffix)))
        try write(
          bytes,
          to: dists.pushing(FilePath("\(component)/binary-\(architecture)/by-hash/SHA256/\(hash)")))
      }
    }
    let shown = faults.suite ?? name(of: pocket)
    let release = """
      Origin: \(layout == .debian ? "Debian" : "Ubuntu")
      Label: Test
      Suite: \(layout == .debian ? "test" : shown)
      Codename: \(layout == .debian ? shown : faults.suite ?? suite)
      Date: \(mailDate(date))
      \(validUntil.map { "Valid-Until: \(mailDate($0))\n" } ?? "")Acquire-By-Hash: yes
      Architectures: \(architecture)
      Components: \(components.joined(separator: " "))
      Description: made by a test
      SHA256:
      \(sums)
      """
    let key = faults.isForged ? try SigningKey(in: "forger-\(pocket)", of: folder) : good
    var signed = faults.isUnsigned ? release : try key.clearSign(release)
    if faults.isTampered {
      signed = signed.replacing("Description: made", with: "Description: mode")
    }
    try write(Array(signed.utf8), to: dists.appending("InRelease"))
  }

  private func write(_ bytes: [UInt8], to file: FilePath) throws {
    try FileManager.default.createDirectory(
      atPath: file.removingLastComponent().string, withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(fileURLWithPath: file.string))
  }

  private func pipe(_ tool: String, _ arguments: [String], _ bytes: [UInt8]) throws -> [UInt8] {
    let file = try folder.write("pipe", bytes)
    let target = folder / "piped"
    let command = ([tool] + arguments).joined(separator: " ") + " <'\(file)' >'\(target)'"
    try requireSuccess("sh", ["-c", command])
    return Array(try Data(contentsOf: URL(fileURLWithPath: target.string)))
  }
}

/// A Debian package that a test describes in a few words.
public struct AptPackage: Sendable {
  public var name: String
  public var version: String
  public var architecture: String
  public var isEssential: Bool
  /// More fields of the control file, such as `["Depends": "libc6 (>= 2)"]`.
  public var fields: [String: String]
  /// Path in the package → text; a path under `DEBIAN/` is a control file such as a script.
  public var files: [String: String]

  private var ready: FilePath?
  private var readyControl: String?

  public init(
    _ name: String, _ version: String = "1", architecture: String = "amd64",
    isEssential: Bool = false, depends: String? = nil, fields: [String: String] = [:],
    files: [String: String] = [:]
  ) {
    self.name = name
    self.version = version
    self.architecture = architecture
    self.isEssential = isEssential
    self.fields = fields
    self.fields["Depends"] = depends ?? fields["Depends"]
    self.files = files
  }

  /// A package that is a file already.
  public init(deb file: FilePath) throws {
    ready = file
    let stanza = try runTool("dpkg-deb", ["--field", file.string]).succeeded().output
    readyControl = stanza.hasSuffix("\n") ? stanza : stanza + "\n"
    func field(_ name: String) throws -> String {
      try runTool("dpkg-deb", ["--field", file.string, name]).succeeded().output
        .trimmingCharacters(in: .newlines)
    }
    name = try field("Package")
    version = try field("Version")
    architecture = try field("Architecture")
    isEssential = try field("Essential") == "yes"
    self.fields = [:]
    files = [:]
  }

  /// The path in the pool.
  public var path: String {
    let version = version.split(separator: ":").last.map(String.init) ?? ""
    return "pool/main/\(name.prefix(1))/\(name)/\(name)_\(version)_\(architecture).deb"
  }

  /// The stanza, with a line feed at its end.
  var control: String {
    if let readyControl { return readyControl }
    var text = "Package: \(name)\nVersion: \(version)\nArchitecture: \(architecture)\n"
    text += "Maintainer: Test <test@example.invalid>\nInstalled-Size: 1\nPriority: optional\n"
    if isEssential { text += "Essential: yes\n" }
    for (field, value) in fields.sorted(by: { $0.key < $1.key }) { text += "\(field): \(value)\n" }
    return text + "Description: \(name) of a test\n"
  }

  /// The package as a file, the same bytes for the same description.
  public func deb() throws -> [UInt8] {
    if let ready { return Array(try Data(contentsOf: URL(fileURLWithPath: ready.string))) }
    let scratch = try TemporaryFolder()
    try scratch.write("tree/DEBIAN/control", control)
    for (path, text) in files {
      let file = try scratch.write("tree/\(path)", text)
      let isScript = path.hasPrefix("DEBIAN/") && text.hasPrefix("#!")
      try FileManager.default.setAttributes(
        [.posixPermissions: isScript ? 0o755 : 0o644], ofItemAtPath: file.string)
    }
    try requireSuccess(
      "dpkg-deb",
      [
        "--build", "--root-owner-group", "-Zgzip", "-z1", (scratch / "tree").string,
        (scratch / "out.deb").string,
      ], environment: ["SOURCE_DATE_EPOCH": "1767225600"])
    return Array(try Data(contentsOf: URL(fileURLWithPath: (scratch / "out.deb").string)))
  }
}

/// A throw-away key in a GNUPGHOME of its own; the agent ends with the last reference.
private final class SigningKey {
  private let home: FilePath
  /// Held so that the folder outlives the agent.
  private let folder: TemporaryFolder

  init(in name: String, of folder: TemporaryFolder) throws {
    self.folder = folder
    home = folder / name
    try FileManager.default.createDirectory(
      atPath: home.string, withIntermediateDirectories: true,
      attributes: [.posixPermissions: 0o700])
    try requireSuccess(
      "gpg",
      common + ["--quick-generate-key", "Test <test@example.invalid>", "ed25519", "sign", "never"])
  }

  deinit {
    // An agent that does not hear this ends by itself once its folder is gone.
    _ = try? runTool("gpgconf", ["--homedir", home.string, "--kill", "all"])
  }

  private var common: [String] {
    [
      "--homedir", home.string, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase",
      "",
    ]
  }

  func export(to file: FilePath) throws {
    try requireSuccess("gpg", common + ["--yes", "--output", file.string, "--export"])
  }

  func clearSign(_ text: String) throws -> String {
    try requireSuccess("gpg", common + ["--clearsign"], input: text)
  }
}

/// Seconds since 1970 as Release files write times: `Thu, 01 Jan 2026 00:00:00 UTC`.
private func mailDate(_ seconds: Int) -> String {
  let formatter = DateFormatter()
  formatter.locale = Locale(identifier: "en_US_POSIX")
  formatter.timeZone = TimeZone(identifier: "UTC")
  formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss"
  return formatter.string(from: Date(timeIntervalSince1970: Double(seconds))) + " UTC"
}

@discardableResult
private func requireSuccess(
  _ name: String, _ arguments: [String], environment: [String: String] = [:], input: String = ""
) throws -> String {
  try runTool(name, arguments, environment: environment, input: Data(input.utf8)).succeeded()
    .output
}

/// Whether this machine has what `AptRepository` needs: the gate of tests that use it.
public let canMakeRepositories = ["gpg", "gpgv", "dpkg-deb", "xz", "gzip"].allSatisfy(hasTool)
