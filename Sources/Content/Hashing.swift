internal import Crypto
public import Model
public import SystemPackage

/// SHA-256 over bytes that come in pieces.
public struct Hasher256: ~Copyable {
  private var state = SHA256()

  public init() {}

  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    state.update(bufferPointer: bytes)
  }

  public mutating func update(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { state.update(bufferPointer: $0) }
  }

  public consuming func finish() -> ContentHash {
    ContentHash(bytes: Array(state.finalize()))
  }
}

extension ContentHash {
  /// The hash of bytes in memory.
  public init(of bytes: [UInt8]) {
    var hasher = Hasher256()
    hasher.update(bytes)
    self = hasher.finish()
  }

  /// The hash of text, as UTF-8.
  public init(of text: String) { self.init(of: Array(text.utf8)) }

  /// The hash of all that is left to read of an open file, read in pieces of 1 MiB.
  public init(reading file: FileDescriptor) throws {
    var hasher = Hasher256()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    defer { buffer.deallocate() }
    while true {
      let count = try file.read(into: buffer)
      if count == 0 { break }
      hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
    self = hasher.finish()
  }

  /// The hash of a file's content.
  public init(ofFile path: FilePath) throws {
    let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
    self = try file.closeAfter { try ContentHash(reading: file) }
  }
}

/// MD5 over bytes that come in pieces, for formats that ask for it; it protects nothing.
public struct MD5Sum: ~Copyable {
  private var state = Insecure.MD5()

  public init() {}

  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    state.update(bufferPointer: bytes)
  }

  /// The digest as 32 lower-case hexadecimal digits.
  public consuming func finish() -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: state.finalize().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
      as: UTF8.self)
  }
}
