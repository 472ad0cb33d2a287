internal import ArgumentParser
internal import Model
internal import Publishing

/// `build-snapshot rollback NAME [VERSION]`: point back, and put what was current aside.
struct RollbackCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback",
    abstract: "Point back to an older version and put the one that was current into quarantine.",
    discussion: "No build that makes the same image is published while it is in quarantine.")

  @Argument(help: "The image's name.")
  var name: String

  @Argument(
    help: "The version to point to (default: the newest good one before the current).",
    transform: readVersion)
  var version: Version?

  @Option(name: .long, help: "Why, for those who read it later.")
  var reason = "rolled back by hand"

  @OptionGroup var store: StoreOptions
  @OptionGroup var signing: SigningOptions
  @OptionGroup var common: CommonOptions

  func run() async throws {
    let (store, signing, name, version, reason) = (store.folder, signing, name, version, reason)
    try await running(common) { [common] _ in
      let catalog = Catalog(store: store, key: try signing.key())
      let now = present()
      // A pointer that ages goes on ageing: as long as the one before it was given.
      let expires = try catalog.pointer(name).flatMap { pointer in
        pointer.expires.map { $0.seconds - pointer.published.seconds }
      }
      let release = try catalog.rollback(
        name, to: version, reason: reason, at: now, expires: expires)
      tell(name, release.version, common)
    }
  }
}

/// Says which release a command was about.
func tell(_ image: String, _ version: Version, _ common: CommonOptions) {
  StandardOutput.write(
    common.json
      ? json(["name": image, "version": version.description]) : "\(image)@\(version)\n")
}
