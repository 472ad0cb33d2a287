internal import Content
internal import Model
internal import SystemPackage

/// One of the indices that apt shall solve from.
struct IndexSource: Sendable {
  /// `Lock.Repository.id`.
  var repository: String
  var index: PackageIndex
  /// apt's priority of its packages.
  var priority: Int
}

/// A configuration root of apt of our own: verified indices, no host state, no network.
struct AptRoot: Sendable {
  private let folder: FilePath
  private let sources: [IndexSource]
  /// By index of the source, then path.
  private let entries: [[String: PackageIndex.Entry]]

  /// A package that apt chose.
  struct Choice: Sendable {
    /// Position in the sources.
    var source: Int
    var entry: PackageIndex.Entry
    var deb: Lock.Blob
  }

  /// Writes the root into an empty folder.
  init(in folder: FilePath, sources: [IndexSource], architecture: String) throws {
    self.folder = folder
    self.sources = sources
    entries = sources.map { source in
      Dictionary(
        source.index.entries.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
    }
    for name in ["lists/partial", "cache/archives/partial", "etc", "log"] {
      try makeFolder(folder.pushing(FilePath(name)))
    }
    var list = ""
    for (number, source) in sources.enumerated() {
      // No such host exists: apt shall never fetch, it only prints these addresses.
      list += "deb [trusted=yes arch=\(architecture)] http://\(number).invalid suite main\n"
      try write(
        source.index.text,
        to: folder.appending("lists").appending(
          "\(number).invalid_dists_suite_main_binary-\(architecture)_Packages"))
    }
    try write(list, to: folder.appending("sources.list"))
    try write(configuration(architecture: architecture), to: folder.appending("apt.conf"))
  }

  /// apt's choice for a request.
  ///
  /// - Parameters:
  ///   - installed: stanzas of packages that count as installed.
  ///   - pins: versions that win over any other, by name.
  ///   - excluded: packages that may not be chosen.
  /// - Returns: what would be fetched, in no particular order.
  /// - Throws: `AptRefusal` when there is no solution.
  func install(
    _ names: [String], installed: [String] = [], pins: [String: String] = [:],
    excluded: [String] = []
  ) async throws -> [Choice] {
    var status = ""
    for stanza in installed { status += "Status: install ok installed\n\(stanza)\n" }
    try write(status, to: folder.appending("status"))
    try write(preferences(pins: pins, excluded: excluded), to: folder.appending("preferences"))
    let result = try await run(
      "apt-get", ["--yes", "--print-uris", "install", "--"] + names,
      environment: .clean(["APT_CONFIG": folder.appending("apt.conf").string]))
    guard result.isSuccess else {
      // Of which the recipe is innocent; apt speaks English in a clean environment.
      let fullDisk = "No space left on device"
      if result.errors.contains(fullDisk) {
        throw ResolvingFailure.io(operation: "write in", path: folder.string, reason: fullDisk)
      }
      if result.exitStatus == 100 { throw AptRefusal(output: result.output, errors: result.errors) }
      throw result.failure(of: "apt-get")
    }
    return try result.output.split(whereSeparator: \.isNewline).compactMap { line in
      guard line.hasPrefix("'") else { return nil }
      guard let choice = choice(printed: line) else {
        throw ResolvingFailure.failed(
          program: "apt-get", status: "printed a line that we do not understand",
          output: String(line))
      }
      return choice
    }
  }

  func stanza(of choice: Choice) -> String {
    sources[choice.source].index.stanza(of: choice.entry)
  }

  func entry(at path: String, in source: Int) -> PackageIndex.Entry? { entries[source][path] }

  /// Reads `'http://3.invalid/pool/x_1_all.deb' x_1_all.deb 5616 SHA256:908b…`.
  private func choice(printed line: Substring) -> Choice? {
    let words = line.split(separator: " ")
    guard words.count == 4, let size = Int(words[2]), words[3].hasPrefix("SHA256:"),
      let hash = ContentHash(hex: words[3].dropFirst("SHA256:".count))
    else { return nil }
    let address = words[0].dropFirst().dropLast()
    guard address.hasPrefix("http://"), let end = address.firstRange(of: ".invalid/"),
      let source = Int(address[..<end.lowerBound].dropFirst("http://".count)),
      sources.indices.contains(source),
      let entry = entries[source][percentDecoded(address[end.upperBound...])]
    else { return nil }
    return Choice(
      source: source, entry: entry, deb: Lock.Blob(path: entry.path, size: size, sha256: hash))
  }

  private func preferences(pins: [String: String], excluded: [String]) -> String {
    var text = ""
    for (number, source) in sources.enumerated() where source.priority != 500 {
      text += "Package: *\nPin: origin \"\(number).invalid\"\nPin-Priority: \(source.priority)\n\n"
    }
    for (name, version) in pins.sorted(by: { $0.key < $1.key }) {
      text += "Package: \(name)\nPin: version \(version)\nPin-Priority: 1001\n\n"
    }
    for name in excluded { text += "Package: \(name)\nPin: release *\nPin-Priority: -1\n\n" }
    return text
  }

  /// Everything that apt reads or writes is in this folder, and nothing of the host's is read.
  private func configuration(architecture: String) -> String {
    """
    Dir "\(folder)/";
    Dir::Etc "\(folder)/etc";
    Dir::Etc::main "/dev/null";
    Dir::Etc::parts "/dev/null";
    Dir::Etc::sourcelist "\(folder)/sources.list";
    Dir::Etc::sourceparts "/dev/null";
    Dir::Etc::preferences "\(folder)/preferences";
    Dir::Etc::preferencesparts "/dev/null";
    Dir::Etc::trusted "/dev/null";
    Dir::Etc::trustedparts "/dev/null";
    Dir::State "\(folder)";
    Dir::State::lists "\(folder)/lists";
    Dir::State::status "\(folder)/status";
    Dir::State::extended_states "\(folder)/extended_states";
    Dir::Cache "\(folder)/cache";
    Dir::Log "\(folder)/log";
    APT::Architecture "\(architecture)";
    APT::Architectures { "\(architecture)"; };
    APT::Install-Recommends "false";
    APT::Install-Suggests "false";
    APT::Get::AllowUnauthenticated "true";
    APT::Get::allow-downgrades "true";
    APT::Sandbox::User "";
    Acquire::ForceHash "SHA256";
    Acquire::Languages "none";
    pkgCacheGen::ForceEssential ",";
    Debug::NoLocking "true";

    """
  }
}
