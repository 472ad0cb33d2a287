public import Model
internal import Synchronization
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// What a store says to one who wants to bring a blob.
public enum Reception: Sendable {
  /// It is there already.
  case present
  /// Another one is bringing it; so many bytes have come.
  case busy(length: Int)
  case open(IncomingBlob)
}

/// A blob on its way into a store: bytes are hashed as they come, and it takes its name by `commit`.
///
/// Dropped without `commit`, a part of a known hash stays for who comes next; others are removed.
public final class IncomingBlob: Sendable {
  static let suffix = ".part"

  private struct State: ~Copyable {
    var file: FileDescriptor?
    var hasher = Hasher256()
    var length = 0
  }

  private let store: BlobStore
  private let path: FilePath
  private let isKept: Bool
  private let state: Mutex<State>

  /// Adopts a locked part and reads what it holds.
  fileprivate init(
    _ file: FileDescriptor, at path: FilePath, in store: BlobStore, isKept: Bool
  ) throws(BlobFailure) {
    self.store = store
    self.path = path
    self.isKept = isKept
    state = Mutex(State(file: file))
    try change("read") { file, state in
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
      defer { buffer.deallocate() }
      while true {
        let count = try file.read(into: buffer)
        if count == 0 { break }
        state.hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        state.length += count
      }
    }
  }

  /// Bytes that have come, those of an earlier attempt included.
  public var length: Int { state.withLock { $0.length } }

  public func append(_ bytes: UnsafeRawBufferPointer) throws(BlobFailure) {
    try change("write") { file, state in
      _ = try file.writeAll(bytes)
      state.hasher.update(bytes)
      state.length += bytes.count
    }
  }

  public func append(_ bytes: [UInt8]) throws(BlobFailure) {
    try change("write") { file, state in
      _ = try file.writeAll(bytes)
      state.hasher.update(bytes)
      state.length += bytes.count
    }
  }

  /// Forgets all bytes that have come.
  public func startOver() throws(BlobFailure) {
    try change("empty") { file, state in try Self.empty(file, &state) }
  }

  /// Checks what has come, brings it to the disk and gives it its name; then this object is done.
  ///
  /// - Parameters:
  ///   - expected: nil takes the bytes as they are.
  ///   - size: in bytes; nil does not look at it.
  /// - Throws: `.wrongSize` and `.corrupt` when other bytes came; it is then empty and can be filled
  ///   anew.
  @discardableResult
  public func commit(
    expecting expected: ContentHash? = nil, size: Int? = nil
  ) throws(BlobFailure) -> ContentHash {
    var hash: ContentHash?
    try change("write") { file, state in
      let length = state.length
      let actual = exchange(&state.hasher, with: Hasher256()).finish()
      if let expected, actual != expected || size ?? length != length {
        try Self.empty(file, &state)
        if let size, size != length {
          throw BlobFailure.wrongSize(expected, expected: size, actual: length)
        }
        throw BlobFailure.corrupt(expected: expected, actual: actual)
      }
      guard fchmod(file.rawValue, 0o444) == 0 else { throw Errno(rawValue: errno) }
      try synchronise(file)
      try store.adopt(path, as: actual)
      hash = actual
      state.file = nil
      try file.close()
    }
    guard let hash else {
      throw .failed(operation: "write", path: path, reason: .badFileDescriptor)
    }
    return hash
  }

  /// Gives up, and removes the part.
  public func discard() { close(removing: true) }

  deinit { close(removing: !isKept) }

  private func close(removing: Bool) {
    state.withLock { state in
      guard let file = state.file else { return }
      if removing || state.length == 0 { unlink(path.string) }
      // Nothing of it counts any more, or it is checked again when it is resumed.
      try? file.close()
      state.file = nil
    }
  }

  private static func empty(_ file: FileDescriptor, _ state: inout State) throws {
    try file.resize(to: 0)
    try file.seek(offset: 0, from: .start)
    state.hasher = Hasher256()
    state.length = 0
  }

  /// Works on the open part; what fails becomes our error.
  private func change(
    _ operation: String, _ body: (FileDescriptor, inout State) throws -> Void
  ) throws(BlobFailure) {
    do {
      try state.withLock { state in
        guard let file = state.file else { throw Errno.badFileDescriptor }
        try body(file, &state)
      }
    } catch { throw .from(error, operation, path, in: store.store) }
  }
}

extension BlobStore {
  /// Opens a way in for a blob whose hash shows at the end.
  public func receive() throws(BlobFailure) -> IncomingBlob {
    while true {
      let name = "\(getpid())-\(UInt64.random(in: 0...UInt64.max))\(IncomingBlob.suffix)"
      let path = parts.appending(name)
      guard let file = try lockedPart(at: path, creating: true) else { continue }
      return try IncomingBlob(file, at: path, in: self, isKept: false)
    }
  }

  /// Opens a way in for a blob of a known hash: it continues what an earlier attempt left.
  public func receive(_ hash: ContentHash) throws(BlobFailure) -> Reception {
    if contains(hash) { return .present }
    let path = part(of: hash)
    guard let file = try lockedPart(at: path, creating: true) else {
      return contains(hash) ? .present : .busy(length: partialSize(of: hash))
    }
    let part = try IncomingBlob(file, at: path, in: self, isKept: true)
    guard contains(hash) else { return .open(part) }
    part.discard()
    return .present
  }

  /// How much of a blob an earlier attempt left, or another has brought so far, in bytes.
  public func partialSize(of hash: ContentHash) -> Int {
    let path = part(of: hash)
    var status = stat()
    return stat(path.string, &status) == 0 ? Int(status.st_size) : 0
  }

  private func part(of hash: ContentHash) -> FilePath {
    parts.appending(hash.hex + IncomingBlob.suffix)
  }
}
