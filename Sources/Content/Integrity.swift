internal import Crypto

/// SHA-512 over bytes that come in pieces, in the form that npm and browsers write: `sha512-` and base64.
///
/// Source: W3C, "Subresource Integrity".
public struct IntegrityHasher: ~Copyable {
  private var state = SHA512()

  public init() {}

  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    state.update(bufferPointer: bytes)
  }

  public consuming func finish() -> String { "sha512-" + base64(Array(state.finalize())) }
}

/// The integrity of bytes in memory.
public func integrity(of bytes: [UInt8]) -> String {
  var hasher = IntegrityHasher()
  bytes.withUnsafeBytes { hasher.update($0) }
  return hasher.finish()
}

/// Base64 with padding. Source: RFC 4648, section 4.
private func base64(_ bytes: [UInt8]) -> String {
  let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  var text: [UInt8] = []
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let group = bytes[start..<min(start + 3, bytes.count)]
    let bits = (0..<3).reduce(0) { $0 << 8 | ($1 < group.count ? Int(group[start + $1]) : 0) }
    for digit in 0..<4 {
      text.append(digit <= group.count ? digits[bits >> (18 - 6 * digit) & 63] : UInt8(ascii: "="))
    }
  }
  return String(decoding: text, as: UTF8.self)
}
