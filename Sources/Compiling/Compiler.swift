public import Content
public import Model
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// A program that was compiled from the source of a package.
public struct CompiledProgram: Sendable, Equatable {
  /// In the store; its last component is the product's name.
  public var path: FilePath
  public var sha256: ContentHash
  /// Over what it was compiled from.
  public var source: ContentHash
  /// The compiler, as it names itself.
  public var compiler: String
}

/// Compiles products of SwiftPM packages for images, and keeps what it made.
///
///     <store>/products/<name>/<key>/<name>   the program; the key is over source, compiler and options
///                                  /sha256   of the program
///                      packages/             what packages consist of, by the hash of their manifest
///                      compilers/            what compilers call themselves
///
/// The same source and compiler give the same bytes in whatever folder: a program that names the
/// package's folder is refused.
public struct Compiler: Sendable {
  private let folder: FilePath
  private let isReadOnly: Bool
  private let events: EventSink

  /// - Parameter isReadOnly: leave the store as it is: for those who only ask.
  public init(
    store: FilePath, isReadOnly: Bool = false, events: @escaping EventSink = { _ in }
  ) {
    folder = store.appending("products")
    self.isReadOnly = isReadOnly
    self.events = events
  }

  /// What a product is compiled from: the folders of its targets, what the manifest says of these, and the
  /// resolved versions of other packages.
  ///
  /// Takes milliseconds where the manifest is known, else SwiftPM is asked.
  public func source(of name: String, package: FilePath) async throws -> TreeFacts {
    let manifest = try TreeFacts(of: package.appending("Package.swift")).sha256
    let description = try await description(of: package, manifest: manifest, for: name)
    let targets = try description.targets(of: name, in: package)
    var facts: [TreeFacts] = []
    let resolved = package.appending("Package.resolved")
    if access(resolved.string, F_OK) == 0 { facts.append(try TreeFacts(of: resolved)) }
    for target in targets { facts.append(try TreeFacts(of: target.folder(in: package))) }
    let lines = [description.declaration(of: targets)] + facts.map(\.sha256.hex)
    return TreeFacts(
      sha256: ContentHash(of: "product \(name)\n\(lines.joined(separator: "\n"))"),
      changed: facts.map(\.changed).max() ?? 0)
  }

  /// The program of a product's present source, if it was compiled before.
  public func compiled(_ name: String, package: FilePath) async throws -> CompiledProgram? {
    let source = try await source(of: name, package: package)
    return try compiled(name, source: source.sha256, compiler: try await compiler(for: name))
  }

  /// The program of a product's present source: compiled now, or before.
  public func program(_ name: String, package: FilePath) async throws -> CompiledProgram {
    if let program = try await compiled(name, package: package) { return program }
    events(.began(.compile, total: nil, unit: .items))
    events(.advanced(.compile, done: 0, subject: name))
    var source = try await source(of: name, package: package).sha256
    var made: [UInt8] = []
    // Until nobody edits it meanwhile; the first time, compiling may also resolve other packages.
    while true {
      made = try contents(of: try await compile(name, package: package))
      let present = try await self.source(of: name, package: package).sha256
      if present == source { break }
      source = present
    }
    if made.contains(package.string.utf8) {
      throw CompilingFailure.namesFolder(product: name, folder: package)
    }
    let compiler = try await compiler(for: name)
    try keep(made, as: place(of: name, source: source, compiler: compiler).appending(name))
    events(.ended(.compile))
    guard let program = try compiled(name, source: source, compiler: compiler) else {
      throw CompilingFailure.failed(product: name, output: "it vanished from the store")
    }
    return program
  }

  /// Bumped when the options below change.
  private static let format = 1

  private func compile(_ name: String, package: FilePath) async throws -> FilePath {
    // A folder beside SwiftPM's own: other options would make it compile everything anew, each time.
    let scratch = package.pushing(".build/products").string
    let options = [
      "build", "--package-path", package.string, "--scratch-path", scratch, "-c", "release",
      "--product", name, "--static-swift-stdlib", "-debug-info-format", "none",
      "-Xlinker", "--strip-all", "-Xlinker", "--build-id=none",
      "-Xcc", "-ffile-prefix-map=\(package.string)/=/",
    ]
    func failure(_ output: String) -> CompilingFailure { .failed(product: name, output: output) }
    _ = try await swift(options, for: name, failure: failure)
    let bin = try await swift(options + ["--show-bin-path"], for: name, failure: failure)
    let program = FilePath(String(bin.prefix { $0 != "\n" })).appending(name)
    // A hash for the compiler's own use, which is another in each folder.
    let reduced = FilePath(program.string + ".reduced")
    _ = try await swift(
      ["--remove-section", ".swift_modhash", program.string, reduced.string],
      program: "llvm-objcopy", for: name, failure: failure)
    return reduced
  }

  private func place(of name: String, source: ContentHash, compiler: String) -> FilePath {
    let key = ContentHash(of: "\(Self.format)\n\(source)\n\(compiler)")
    return folder.appending(name).appending(key.hex)
  }

  private func compiled(
    _ name: String, source: ContentHash, compiler: String
  ) throws -> CompiledProgram? {
    let place = place(of: name, source: source, compiler: compiler)
    guard let text = try contents(ifAt: place.appending("sha256")),
      let sha256 = ContentHash(hex: String(decoding: text, as: UTF8.self))
    else { return nil }
    // When it was last used: what was not for longest goes first when room is wanted.
    if !isReadOnly { utimensat(AT_FDCWD, place.string, nil, 0) }
    return CompiledProgram(
      path: place.appending(name), sha256: sha256, source: source, compiler: compiler)
  }

  /// Copies a program into the store; its hash comes last, and says that all is there.
  private func keep(_ bytes: [UInt8], as target: FilePath) throws {
    let folder = target.removingLastComponent()
    try makeFolder(folder)
    try writeAtomically(bytes, to: target, mode: FilePermissions(rawValue: 0o755))
    try writeAtomically(
      Array(ContentHash(of: bytes).hex.utf8), to: folder.appending("sha256"))
  }

  private func description(
    of package: FilePath, manifest: ContentHash, for name: String
  ) async throws -> PackageDescription {
    let text = try await remembered("packages", manifest) {
      try await swift(
        ["package", "--ignore-lock", "--package-path", package.string, "dump-package"], for: name
      ) { .unreadablePackage(package, output: $0) }
    }
    return try PackageDescription(text, of: package)
  }

  /// The first line of what the compiler says of itself; asked once for each that is installed.
  private func compiler(for name: String) async throws -> String {
    guard let path = pathOfProgram("swift") else {
      throw CompilingFailure.noCompiler(product: name)
    }
    var status = stat()
    guard stat(path, &status) == 0 else { throw Errno(rawValue: errno) }
    let identity = "\(path) \(status.st_ino) \(status.st_size) \(status.st_mtim.tv_sec)"
    let text = try await remembered("compilers", ContentHash(of: identity)) {
      try await swift(["--version"], for: name) { .failed(product: name, output: $0) }
    }
    return String(String(decoding: text, as: UTF8.self).prefix { $0 != "\n" })
  }

  /// The text that the store remembers under a key, or else what `make` gives.
  private func remembered(
    _ kind: String, _ key: ContentHash, _ make: () async throws -> String
  ) async throws -> [UInt8] {
    let file = folder.appending(kind).appending(key.hex)
    if let text = try contents(ifAt: file) { return text }
    let text = Array(try await make().utf8)
    if isReadOnly { return text }
    try makeFolder(file.removingLastComponent())
    try writeAtomically(text, to: file)
    return text
  }
}

/// All bytes of a file; nil when there is none.
private func contents(ifAt path: FilePath) throws -> [UInt8]? {
  do { return try contents(of: path) } catch Errno.noSuchFileOrDirectory { return nil }
}

/// Where PATH has a program.
private func pathOfProgram(_ name: String) -> String? {
  guard let path = getenv("PATH") else { return nil }
  return String(cString: path).split(separator: ":").lazy.map { "\($0)/\(name)" }
    .first { access($0, X_OK) == 0 }
}
