internal import FoundationEssentials
internal import Model
internal import SystemPackage

/// A signed message in DSSE's form: payload and signatures in one file, so that both change at once.
///
/// Source: the "Dead Simple Signing Envelope" specification, version 1.
struct Envelope: Codable, Equatable {
  var payloadType: String
  /// Base64.
  var payload: String
  var signatures: [Signature]

  struct Signature: Codable, Equatable {
    var keyid: String
    /// Base64.
    var sig: String
  }

  /// The message; nil when it is not base64.
  var message: [UInt8]? { Data(base64Encoded: payload).map(Array.init) }
}

/// Reads a pointer, signed or plain.
func decodePointer(_ bytes: [UInt8], from path: FilePath) throws(CatalogFailure) -> Pointer {
  struct Kind: Decodable { var payloadType: String? }
  guard try decode(Kind.self, bytes, from: path).payloadType != nil else {
    return try decode(Pointer.self, bytes, from: path)
  }
  let envelope = try decode(Envelope.self, bytes, from: path)
  guard envelope.payloadType == Pointer.mediaType, let message = envelope.message else {
    throw .damaged(path, reason: "its envelope holds no pointer")
  }
  return try decode(Pointer.self, message, from: path)
}

/// A pointer as it lies on the disk.
func encode(_ pointer: Pointer) throws(CatalogFailure) -> [UInt8] {
  do { return try json(pointer) } catch { preconditionFailure("a pointer is JSON: \(error)") }
}
