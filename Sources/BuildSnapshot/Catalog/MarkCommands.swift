internal import ArgumentParser
internal import Model
internal import Publishing

/// `build-snapshot pin NAME@VERSION`: keep a release whatever retention says.
struct PinCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pin", abstract: "Keep a release whatever retention says.")

  @OptionGroup var mark: MarkOptions

  @Option(name: .long, help: "Why, for those who read it later.")
  var reason = "pinned by hand"

  func run() async throws {
    let reason = reason
    try await mark.apply { try $0.pin($1, $2, reason: reason, at: present()) }
  }
}

/// `build-snapshot unpin NAME@VERSION`: leave a release to retention again.
struct UnpinCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unpin", abstract: "Leave a release to retention again.")

  @OptionGroup var mark: MarkOptions

  func run() async throws { try await mark.apply { try $0.unpin($1, $2) } }
}

/// `build-snapshot quarantine NAME@VERSION`: put a release aside.
struct QuarantineCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quarantine",
    abstract: "Put a release aside: nothing rolls back to it, no equal build is published.")

  @OptionGroup var mark: MarkOptions

  @Option(name: .long, help: "Why, for those who read it later.")
  var reason = "put aside by hand"

  func run() async throws {
    let reason = reason
    try await mark.apply { try $0.quarantine($1, $2, reason: reason, at: present()) }
  }
}

/// `build-snapshot release NAME@VERSION`: take a release out of quarantine.
struct ReleaseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "release", abstract: "Take a release out of quarantine.")

  @OptionGroup var mark: MarkOptions

  func run() async throws { try await mark.apply { try $0.liftQuarantine($1, $2) } }
}

/// What commands take that mark one release.
struct MarkOptions: ParsableArguments {
  @Argument(help: "NAME, for the current version, or NAME@VERSION.")
  var release: Reference

  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func apply(_ change: @escaping @Sendable (Catalog, String, Version) throws -> Void) async throws {
    let (catalog, reference) = (store.catalog, release)
    try await running(common) { [common] _ in
      let version = try reference.version(in: catalog)
      try change(catalog, reference.image, version)
      tell(reference.image, version, common)
    }
  }
}
