internal import Crypto
internal import FoundationEssentials
internal import Glibc
public import SystemPackage

/// The secret half of a key pair that signs releases: Ed25519, in minisign's file format.
///
/// It prints as its identity only, and a process that holds one writes no core file.
public struct SigningKey: Sendable, CustomStringConvertible, CustomDebugStringConvertible,
  CustomReflectable
{
  let secret: Curve25519.Signing.PrivateKey
  public let identity: KeyIdentity

  /// Makes a new key.
  public static func generate() -> SigningKey {
    SigningKey(
      secret: Curve25519.Signing.PrivateKey(),
      identity: KeyIdentity(number: UInt64.random(in: 0...UInt64.max)))
  }

  private init(secret: Curve25519.Signing.PrivateKey, identity: KeyIdentity) {
    self.secret = secret
    self.identity = identity
    forbidCoreFiles()
  }

  /// Reads a secret key file, such as systemd hands out in `$CREDENTIALS_DIRECTORY`.
  ///
  /// - Throws: `.readableByOthers` when its mode gives anyone but the owner any right.
  public init(file path: FilePath) throws(KeyFailure) {
    forbidCoreFiles()
    var status = stat()
    guard stat(path.string, &status) == 0 else { throw .unreadable(path, Errno(rawValue: errno)) }
    guard status.st_mode & 0o077 == 0 else {
      throw .readableByOthers(path, mode: Int(status.st_mode & 0o7777))
    }
    guard let text = try? read(path).map({ String(decoding: $0, as: UTF8.self) }) else {
      throw .unreadable(path, Errno(rawValue: errno))
    }
    try self.init(text: text)
  }

  /// Reads a secret key as text: a whole file, or only its second line, as fits into a variable.
  ///
  /// Layout: `Ed`, two zeros (no password), `B2`, salt 32, limits 16, identity 8, seed 32, public
  /// key 32, checksum 32. Source: minisign's `src/minisign.h`.
  public init(text: String) throws(KeyFailure) {
    guard let bytes = base64Line(of: text), bytes.count == 158,
      bytes[0..<2].elementsEqual("Ed".utf8), bytes[4..<6].elementsEqual("B2".utf8)
    else { throw .malformed("a minisign secret key") }
    guard bytes[2] == 0, bytes[3] == 0 else { throw .hasPassword }
    guard let secret = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes[62..<94]),
      secret.publicKey.rawRepresentation.elementsEqual(bytes[94..<126])
    else { throw .malformed("a minisign secret key") }
    self.init(secret: secret, identity: KeyIdentity(bytes: bytes[54..<62]))
  }

  /// The secret key file's content; write it with mode 0600 or not at all.
  public var secretText: String {
    var bytes = Array("Ed".utf8) + [0, 0] + Array("B2".utf8) + [UInt8](repeating: 0, count: 48)
    bytes += identity.bytes + secret.rawRepresentation + secret.publicKey.rawRepresentation
    bytes += [UInt8](repeating: 0, count: 32)
    return "untrusted comment: minisign secret key \(identity)\n\(base64(bytes))\n"
  }

  public var publicKey: PublicKey {
    PublicKey(key: secret.publicKey, identity: identity)
  }

  /// Signs bytes in minisign's prehashed form.
  ///
  /// - Parameter comment: signed too, one line.
  /// - Returns: the content of a `.minisig` file.
  public func signature(of message: [UInt8], comment: String) throws -> String {
    let signature = try secret.signature(for: blake2b(message))
    let comment = comment.replacing("\n", with: " ")
    let whole = try secret.signature(for: Array(signature) + Array(comment.utf8))
    return """
      untrusted comment: signature from minisign secret key \(identity)
      \(base64(Array("ED".utf8) + identity.bytes + signature))
      trusted comment: \(comment)
      \(base64(Array(whole)))

      """
  }

  public var description: String { "secret key \(identity)" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: [] as [Mirror.Child]) }
}

/// The public half of a key pair.
public struct PublicKey: Sendable, Equatable, CustomStringConvertible {
  let key: Curve25519.Signing.PublicKey
  public let identity: KeyIdentity

  init(key: Curve25519.Signing.PublicKey, identity: KeyIdentity) {
    self.key = key
    self.identity = identity
  }

  /// Reads a minisign public key: a whole file, or only its second line.
  public init(text: String) throws(KeyFailure) {
    guard let bytes = base64Line(of: text), bytes.count == 42,
      bytes[0..<2].elementsEqual("Ed".utf8),
      let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes[10...])
    else { throw .malformed("a minisign public key") }
    self.init(key: key, identity: KeyIdentity(bytes: bytes[2..<10]))
  }

  /// The public key file's content.
  public var text: String {
    "untrusted comment: minisign public key \(identity)\n"
      + base64(Array("Ed".utf8) + identity.bytes + key.rawRepresentation) + "\n"
  }

  /// Checks the content of a `.minisig` file, in either form, and its comment.
  ///
  /// - Returns: the trusted comment.
  public func check(_ signature: String, of message: [UInt8]) throws(KeyFailure) -> String {
    let lines = signature.split(separator: "\n", omittingEmptySubsequences: false)
    let label = "trusted comment: "
    guard lines.count >= 4, lines[2].hasPrefix(label), let bytes = decodedBase64(lines[1]),
      bytes.count == 74, let whole = decodedBase64(lines[3])
    else { throw .malformed("a minisign signature") }
    let signer = KeyIdentity(bytes: bytes[2..<10])
    guard signer == identity else { throw .otherKey(signer, expected: identity) }
    let isPrehashed = bytes[0..<2].elementsEqual("ED".utf8)
    guard isPrehashed || bytes[0..<2].elementsEqual("Ed".utf8) else {
      throw .malformed("a minisign signature")
    }
    let comment = String(lines[2].dropFirst(label.count))
    guard key.isValidSignature(bytes[10...], for: isPrehashed ? blake2b(message) : message),
      key.isValidSignature(whole, for: Array(bytes[10...]) + Array(comment.utf8))
    else { throw .wrongSignature(identity) }
    return comment
  }

  public var description: String { "public key \(identity)" }

  public static func == (left: PublicKey, right: PublicKey) -> Bool {
    left.identity == right.identity
      && left.key.rawRepresentation == right.key.rawRepresentation
  }
}

/// The number by which a key is known; it shows as sixteen upper-case hexadecimal digits.
public struct KeyIdentity: Sendable, Hashable, CustomStringConvertible {
  let number: UInt64

  init(number: UInt64) { self.number = number }

  /// Eight bytes, the lowest first, as in key files.
  init(bytes: some BidirectionalCollection<UInt8>) {
    number = bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  var bytes: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64($0 * 8)) } }

  public var description: String {
    let digits = String(number, radix: 16, uppercase: true)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// Why a key or a signature is refused.
public enum KeyFailure: Error, Sendable, Equatable, CustomStringConvertible {
  case unreadable(FilePath, Errno)
  case unwritable(FilePath, Errno)
  case readableByOthers(FilePath, mode: Int)
  /// What the text should have been.
  case malformed(String)
  case hasPassword
  case otherKey(KeyIdentity, expected: KeyIdentity)
  case wrongSignature(KeyIdentity)

  public var description: String {
    switch self {
    case .unreadable(let path, let error): "cannot read the key '\(path)': \(error)"
    case .unwritable(let path, let error): "cannot write the key '\(path)': \(error)"
    case .readableByOthers(let path, let mode):
      "the secret key '\(path)' is open to others (mode \(String(mode, radix: 8))); "
        + "'chmod 600 \(path)', and think of who read it"
    case .malformed(let what): "this is not \(what)"
    case .hasPassword:
      "the secret key has a password, which a nightly build cannot type; make one with "
        + "'build-snapshot keygen' or 'minisign -G -W'"
    case .otherKey(let signer, let expected): "signed by key \(signer), not by \(expected)"
    case .wrongSignature(let identity): "the signature is not one of key \(identity)"
    }
  }
}

/// Forbids core files, which would hold the key. One byte is the limit that also stops the kernel from
/// piping a core to a program (core(5)).
private func forbidCoreFiles() {
  var limit = rlimit(rlim_cur: 1, rlim_max: 1)
  _ = setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
}

/// The bytes of the first line that is no comment.
private func base64Line(of text: String) -> [UInt8]? {
  let lines = text.split(whereSeparator: \.isNewline)
  return lines.first { !$0.hasPrefix("untrusted comment:") }.flatMap { decodedBase64($0) }
}
