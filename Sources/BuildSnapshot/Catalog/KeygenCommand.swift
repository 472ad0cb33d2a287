internal import ArgumentParser
internal import Publishing
internal import SystemPackage

/// `build-snapshot keygen FILE`: make the pair of keys that signs releases.
struct KeygenCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keygen",
    abstract: "Make a key that signs releases, in minisign's format.",
    discussion: """
      FILE gets the secret key, for its owner only and without a password; FILE.pub gets the public
      key, which clients need. Neither file is ever overwritten.
      """)

  @Argument(help: ArgumentHelp("Where the secret key goes.", valueName: "file"))
  var file: String

  @OptionGroup var common: CommonOptions

  func run() async throws {
    let secret = absolute(file)
    try await running(common) { [common] _ in
      let key = SigningKey.generate()
      let open = FilePath(secret.string + ".pub")
      try key.save(secret: secret, public: open)
      StandardOutput.write(
        common.json
          ? json(["key": "\(key.identity)", "public": open.string]) : "\(open)\n")
    }
  }
}
