public import Model

/// Why a recipe has no lock, or a lock no addresses.
public enum ResolvingFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// The recipe or the lock is at fault; every fault that we know of.
  case faulty([Diagnostic])
  /// `--update` names something that the lock does not hold.
  case notLocked(name: String, hint: String?)
  /// What we got may not be trusted: `file` is as it was asked for.
  case untrusted(file: String, Distrust)
  /// A source did not answer: trying again may help.
  case unreachable(name: String, reason: String)
  /// A program of the host is missing.
  case noProgram(String)
  /// A program of the host failed in a way that we do not understand.
  case failed(program: String, status: String, output: String)
  /// A file of ours or of the host could not be read or written.
  case io(operation: String, path: String, reason: String)

  /// What is wrong with a file of a repository.
  public enum Distrust: Sendable, Equatable {
    /// It bears no signature at all.
    case unsigned
    /// A signature does not fit the text.
    case badSignature
    /// No signature is by a key of the keyring; the signers' key numbers.
    case unknownSigner([String])
    /// Its Valid-Until has passed; seconds since 1970.
    case expired(validUntil: Int)
    /// It is older than one seen before; seconds since 1970.
    case rolledBack(date: Int, seen: Int)
    /// It speaks of another suite.
    case wrongSuite(asked: String, found: String)
    case wrongHash(expected: ContentHash, actual: ContentHash)
    /// npm's form of a hash differs.
    case wrongIntegrity(expected: String, actual: String)
    case wrongSize(expected: Int, actual: Int)
    /// It does not follow the format.
    case malformed(String)
  }

  public var description: String {
    switch self {
    case .faulty(let diagnostics): diagnostics.map(\.description).joined(separator: "\n")
    case .notLocked(let name, let hint):
      "nothing named '\(name)' is in the lock" + (hint.map { "; \($0)" } ?? "")
    case .untrusted(let file, let distrust): "'\(file)' is not to be trusted: \(distrust)"
    case .unreachable(let name, let reason): "cannot reach the source of '\(name)': \(reason)"
    case .noProgram(let name): "the program '\(name)' is missing; install it and try again"
    case .failed(let program, let status, let output): "'\(program)' \(status): \(output)"
    case .io(let operation, let path, let reason): "cannot \(operation) '\(path)': \(reason)"
    }
  }
}

extension ResolvingFailure.Distrust: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unsigned: "it is not signed"
    case .badSignature: "its signature does not fit its text; it was changed after signing"
    case .unknownSigner(let keys):
      "none of its signers (\(keys.joined(separator: ", "))) is in the keyring"
        + "; name another 'keyring' if you trust them"
    case .expired(let until):
      "it was valid until \(format(utc: until)); the mirror is stale or the clock is wrong"
    case .rolledBack(let date, let seen):
      "it is of \(format(utc: date)), but one of \(format(utc: seen)) was seen before"
        + "; the mirror is stale or somebody replays old files"
    case .wrongSuite(let asked, let found): "it is of suite '\(found)', not of '\(asked)'"
    case .wrongHash(let expected, let actual): "its SHA-256 is \(actual), not \(expected)"
    case .wrongIntegrity(let expected, let actual): "its hash is \(actual), not \(expected)"
    case .wrongSize(let expected, let actual): "it has \(actual) bytes, not \(expected)"
    case .malformed(let reason): "it is malformed: \(reason)"
    }
  }
}
