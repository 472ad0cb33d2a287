internal import AgentHTTP
internal import Glibc

/// The credential files in a session's home.
struct CredentialFiles: Sendable {
  let home: String
  /// Paths below home; the first must be there.
  let paths: [String]

  static let largest = 1 << 20

  /// Whether they are complete: the first is there, and each that is there is a JSON object.
  func look() -> SessionMachine.Credentials {
    var hasher = Hasher()
    for (index, path) in paths.enumerated() {
      guard let bytes = read(path) else {
        if index == 0 { return .missing }
        continue
      }
      // A file that is being written is no JSON yet; the next look may find it whole.
      guard let value = try? JSON(parsing: bytes), value.object?.isEmpty == false else {
        return .missing
      }
      hasher.combine(index)
      hasher.combine(bytes)
    }
    return .complete(hasher.finalize())
  }

  /// The files as the controller gets them: path below home, and text.
  func collect() -> [JSON] {
    paths.compactMap { path in
      read(path).map { bytes in
        ["path": .string(path), "content": .string(String(decoding: bytes, as: UTF8.self))]
      }
    }
  }

  private func read(_ path: String) -> [UInt8]? {
    var facts = stat()
    guard lstat("\(home)/\(path)", &facts) == 0, facts.st_mode & S_IFMT == S_IFREG,
      facts.st_size > 0, facts.st_size <= Self.largest
    else { return nil }
    return contents(of: "\(home)/\(path)", limit: Self.largest)
  }
}
