public import SystemPackage

extension SigningKey {
  /// Where systemd puts the key: `LoadCredential=build-snapshot-key:/path`.
  public static let credentialName = "build-snapshot-key"
  /// The variable that holds the key's text, a whole file or its second line.
  public static let variableName = "BUILD_SNAPSHOT_KEY"

  /// Finds the key to sign with: the named file, else the variable, else systemd's credential.
  ///
  /// - Parameter file: as the user named it.
  /// - Returns: nil when none of the three is given: releases stay unsigned.
  public static func find(
    file: FilePath?, environment: [String: String]
  ) throws(KeyFailure) -> SigningKey? {
    if let file { return try SigningKey(file: file) }
    if let text = environment[variableName], !text.isEmpty { return try SigningKey(text: text) }
    guard let folder = environment["CREDENTIALS_DIRECTORY"] else { return nil }
    let credential = FilePath(folder).appending(credentialName)
    return exists(credential) ? try SigningKey(file: credential) : nil
  }

  /// Writes both halves of the pair, the secret one for its owner only.
  ///
  /// - Throws: `.unwritable` also when either file is there: no key is ever overwritten.
  public func save(secret: FilePath, public path: FilePath) throws(KeyFailure) {
    do {
      try writeNew(Array(secretText.utf8), to: secret, mode: 0o600)
      try writeNew(Array(publicKey.text.utf8), to: path, mode: 0o644)
    } catch .system(_, let path, let error) {
      throw .unwritable(path, error)
    } catch {
      throw .unwritable(secret, .ioError)
    }
  }
}
