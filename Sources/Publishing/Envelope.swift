internal import FoundationEssentials
internal import Model
internal import SystemPackage

/// A signed message in DSSE's form: payload and signatures in one file, so that both change at once.
///
/// Source: the "Dead Simple Signing Envelope" specification, version 1.
public struct Envelope: Sendable, Equatable, Codable {
  public struct Signature: Sendable, Equatable, Codable {
    public var keyid: String
    /// Base64.
    public var sig: String
  }

  public var payloadType: String
  /// Base64.
  public var payload: String
  public var signatures: [Signature]

  /// Signs a message.
  public init(_ message: [UInt8], type: String, key: SigningKey) throws {
    let signature = try key.secret.signature(for: preAuthentication(type, message))
    payloadType = type
    payload = base64(message)
    signatures = [Signature(keyid: "\(key.identity)", sig: base64(Array(signature)))]
  }

  /// The message, once one of its signatures is by one of the keys.
  ///
  /// A key's identity is a hint only, as the specification has it: each key is tried.
  public func message(signedBy keys: [PublicKey]) throws(TrustFailure) -> [UInt8] {
    guard let message = decodedBase64(payload) else { throw .malformed("an envelope's payload") }
    let signed = preAuthentication(payloadType, message)
    for signature in signatures {
      guard let bytes = decodedBase64(signature.sig) else { continue }
      if keys.contains(where: { $0.key.isValidSignature(bytes, for: signed) }) { return message }
    }
    throw .wrongKey(signers: signatures.map(\.keyid), trusted: keys.map(\.identity))
  }
}

/// What is signed: type and message with their lengths, so that neither can pass for the other.
private func preAuthentication(_ type: String, _ message: [UInt8]) -> [UInt8] {
  Array("DSSEv1 \(type.utf8.count) \(type) \(message.count) ".utf8) + message
}

func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

func decodedBase64(_ text: some StringProtocol) -> [UInt8]? {
  Data(base64Encoded: String(text)).map(Array.init)
}

/// Reads a pointer, signed or plain, without looking at its signature.
func decodePointer(_ bytes: [UInt8], from path: FilePath) throws(CatalogFailure) -> Pointer {
  guard let envelope = try decodeEnvelope(bytes, from: path) else {
    return try decode(Pointer.self, bytes, from: path)
  }
  guard envelope.payloadType == Pointer.mediaType, let message = decodedBase64(envelope.payload)
  else { throw .damaged(path, reason: "its envelope holds no pointer") }
  return try decode(Pointer.self, message, from: path)
}

/// Reads an envelope; nil when the JSON is something else.
func decodeEnvelope(
  _ bytes: [UInt8], from path: FilePath
) throws(CatalogFailure) -> Envelope? {
  struct Kind: Decodable { var payloadType: String? }
  guard try decode(Kind.self, bytes, from: path).payloadType != nil else { return nil }
  return try decode(Envelope.self, bytes, from: path)
}
