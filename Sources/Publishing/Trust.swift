internal import Content
public import Model
internal import SystemPackage

/// Why a client refuses what the catalog offers.
public enum TrustFailure: Error, Sendable, Equatable, CustomStringConvertible {
  case unsigned(image: String)
  case wrongKey(signers: [String], trusted: [KeyIdentity])
  case malformed(String)
  /// The pointer's generation is below one that the client has seen, or below its own minimum.
  case staleGeneration(image: String, Int, seen: Int)
  case expired(image: String, Timestamp)
  /// A file is not the one that was signed.
  case otherBytes(file: String, expected: ContentHash, actual: ContentHash)
  case otherImage(String, expected: String)

  public var description: String {
    switch self {
    case .unsigned(let image): "'\(image)' is not signed"
    case .wrongKey(let signers, let trusted):
      "signed by \(signers.isEmpty ? "nobody" : signers.joined(separator: ", ")), which is none "
        + "of the trusted keys (\(trusted.map(\.description).joined(separator: ", "))), or changed "
        + "since"
    case .malformed(let what): "\(what) does not read"
    case .staleGeneration(let image, let generation, let seen):
      "the pointer of '\(image)' is old: generation \(generation), but \(seen) was seen before"
    case .expired(let image, let moment):
      "the pointer of '\(image)' expired at \(moment): no newer one was published since"
    case .otherBytes(let file, let expected, let actual):
      "'\(file)' is not what was signed: its sha256 is \(actual), not \(expected)"
    case .otherImage(let image, let expected):
      "the pointer is of image '\(image)', not of '\(expected)'"
    }
  }
}

/// What a client requires of a catalog before it uses an image.
public struct Trust: Sendable {
  /// Any of these may have signed; empty trusts an unsigned pointer, whoever could write it.
  public var keys: [PublicKey]
  /// The highest generation that the client has ever seen; it keeps this number.
  public var seen: Int

  public init(keys: [PublicKey], seen: Int = 0) {
    self.keys = keys
    self.seen = seen
  }
}

extension Catalog {
  /// The current release, once pointer, manifest and, where asked for, every file proved genuine.
  ///
  /// - Parameter hashesDisk: also hashes the image and the documents, some seconds for 8 GiB.
  /// - Returns: the pointer, whose generation the client shall remember, and its release.
  public func trusted(
    _ image: String, _ trust: Trust, at now: Timestamp, hashesDisk: Bool = false
  ) throws -> (pointer: Pointer, release: Release) {
    let path = folder(of: image).appending("latest.json")
    while true {
      try check(image)
      guard let bytes = try read(path) else { throw CatalogFailure.noImage(image, store: store) }
      let pointer = try trustedPointer(bytes, from: path, of: image, trust, at: now)
      do {
        let release = try release(image, pointer.version)
        try compare(Manifest.fileName, pointer.manifest.sha256, release.manifestHash)
        try compare(release.manifest.disk.file, pointer.disk.sha256, release.manifest.disk.sha256)
        if hashesDisk { try checkFiles(of: release) }
        return (pointer, release)
      } catch {
        // It may have gone while we looked: then another is current now.
        if try read(path) == bytes { throw error }
      }
    }
  }

  private func trustedPointer(
    _ bytes: [UInt8], from path: FilePath, of image: String, _ trust: Trust, at now: Timestamp
  ) throws -> Pointer {
    let pointer: Pointer
    if trust.keys.isEmpty {
      pointer = try decodePointer(bytes, from: path)
    } else {
      guard let envelope = try decodeEnvelope(bytes, from: path),
        envelope.payloadType == Pointer.mediaType
      else { throw TrustFailure.unsigned(image: image) }
      pointer = try decode(
        Pointer.self, try envelope.message(signedBy: trust.keys), from: path)
    }
    guard pointer.image == image else {
      throw TrustFailure.otherImage(pointer.image, expected: image)
    }
    let least = max(trust.seen, pointer.minGeneration)
    guard pointer.generation >= least else {
      throw TrustFailure.staleGeneration(image: image, pointer.generation, seen: least)
    }
    if let moment = pointer.expires, moment < now {
      throw TrustFailure.expired(image: image, moment)
    }
    return pointer
  }

  /// Checks the manifest's own signature, for a release that is not the current one.
  ///
  /// - Returns: the signature's trusted comment.
  @discardableResult
  public func checkSignature(of release: Release, by keys: [PublicKey]) throws -> String {
    let path = release.folder.appending(Manifest.fileName)
    guard let signing = release.manifest.signing,
      let signature = try read(release.folder.appending(signing.file)),
      let manifest = try read(path)
    else { throw TrustFailure.unsigned(image: "\(release.image)@\(release.version)") }
    guard let key = keys.first(where: { "\($0.identity)" == signing.keyId }) else {
      throw TrustFailure.wrongKey(signers: [signing.keyId], trusted: keys.map(\.identity))
    }
    return try key.check(String(decoding: signature, as: UTF8.self), of: manifest)
  }

  /// Hashes every file that the manifest vouches for.
  public func checkFiles(of release: Release) throws {
    for file in release.files {
      try compare(
        file.name, file.hash, try ContentHash(ofFile: release.folder.appending(file.name)))
    }
  }
}

private func compare(
  _ file: String, _ expected: ContentHash, _ actual: ContentHash
) throws(TrustFailure) {
  guard expected == actual else {
    throw .otherBytes(file: file, expected: expected, actual: actual)
  }
}
