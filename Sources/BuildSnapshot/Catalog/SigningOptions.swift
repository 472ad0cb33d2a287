internal import ArgumentParser
internal import Pipeline
internal import Publishing

#if canImport(Glibc)
  internal import Glibc
#endif

/// Where the key that signs releases comes from.
struct SigningOptions: ParsableArguments {
  @Option(
    name: .customLong("key"),
    help: ArgumentHelp(
      """
      The secret key that signs (default: the text in $\(SigningKey.variableName), else systemd's \
      credential '\(SigningKey.credentialName)').
      """, valueName: "file"))
  var keyFile: String?

  /// The key; nil where none is given.
  ///
  /// Programs that we start do not inherit it: the variable goes once it has been read.
  func key() throws -> SigningKey? {
    defer { unsetenv(SigningKey.variableName) }
    return try SigningKey.find(file: keyFile.map(absolute), environment: environmentVariables())
  }
}
