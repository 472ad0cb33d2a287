internal import Content
public import Model
public import SystemPackage

/// The published images of a store. Layout and commit sequence: `docs/catalog.md`.
///
///     <store>/staging/<id>/           private to one build
///     <store>/images/<name>/.lock     held while the image's part of the catalog changes
///                           <version>/    read-only: rootfs.ext4, manifest.json, …
///                           latest.json   the truth: which version is current
///                           latest        a link for people
///                           history/      every pointer ever, by generation
public struct Catalog: Sendable {
  public let store: FilePath
  /// Signs what is published; nil publishes unsigned.
  let key: SigningKey?

  public init(store: FilePath, key: SigningKey? = nil) {
    self.store = store
    self.key = key
  }

  /// The names of all images, sorted.
  public func images() throws(CatalogFailure) -> [String] {
    try names(in: store.appending("images")).filter { isFolder(folder(of: $0)) }
  }

  /// The pointer of an image; nil when nothing was ever published.
  public func pointer(_ image: String) throws(CatalogFailure) -> Pointer? {
    try check(image)
    let path = folder(of: image).appending("latest.json")
    guard let bytes = try read(path) else { return nil }
    return try decodePointer(bytes, from: path)
  }

  /// The release that the pointer names; nil when nothing was ever published.
  public func current(_ image: String) throws(CatalogFailure) -> Release? {
    while let pointer = try self.pointer(image) {
      do { return try release(image, pointer.version) } catch {
        // It may have gone between our two looks: then another is current now.
        if try self.pointer(image)?.generation == pointer.generation { throw error }
      }
    }
    return nil
  }

  /// Every published version, oldest first; what a crash left behind uncommitted is not among them.
  public func versions(_ image: String) throws(CatalogFailure) -> [Version] {
    guard let pointer = try self.pointer(image) else { return [] }
    return try versionsOnDisk(image).filter { $0 <= pointer.lastVersion }
  }

  /// Every published release, oldest first.
  public func releases(_ image: String) throws(CatalogFailure) -> [Release] {
    var releases: [Release] = []
    for version in try versions(image) {
      // What goes while we look is not there.
      do { releases.append(try release(image, version)) } catch .noRelease { continue }
    }
    return releases
  }

  /// One release with its manifest.
  public func release(
    _ image: String, _ version: Version
  ) throws(CatalogFailure) -> Release {
    try check(image)
    let folder = self.folder(of: image).appending(version.description)
    let path = folder.appending(Manifest.fileName)
    guard let bytes = try read(path) else {
      if isFolder(folder) { throw .damaged(path, reason: "it is missing") }
      guard isFolder(self.folder(of: image)) else { throw .noImage(image, store: store) }
      throw .noRelease(image: image, version, known: try versions(image))
    }
    return Release(
      image: image, version: version, folder: folder,
      manifest: try decode(Manifest.self, bytes, from: path), manifestHash: ContentHash(of: bytes))
  }

  /// A folder for a new release; what earlier builds left behind is removed first.
  public func stage(_ image: String) throws(CatalogFailure) -> Staging {
    try check(image)
    let parent = store.appending("staging")
    try makeFolders(parent)
    try sweep(parent)
    return try Staging(image: image, in: parent)
  }

  func folder(of image: String) -> FilePath { store.appending("images").appending(image) }

  /// The version folders that are there, published or not, oldest first.
  func versionsOnDisk(_ image: String) throws(CatalogFailure) -> [Version] {
    try names(in: folder(of: image)).compactMap { Version($0) }.sorted()
  }

  func check(_ image: String) throws(CatalogFailure) {
    let bytes = Array(image.utf8)
    let isPlain = bytes.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
        true
      default: false
      }
    }
    guard isPlain, (1...64).contains(bytes.count), !".-_".utf8.contains(bytes[0]) else {
      throw .invalidName(image)
    }
  }
}

/// A published image.
public struct Release: Sendable, Equatable {
  public var image: String
  public var version: Version
  public var folder: FilePath
  public var manifest: Manifest
  /// Of `manifest.json` as it lies on the disk.
  public var manifestHash: ContentHash

  /// The image file.
  public var disk: FilePath { folder.appending(manifest.disk.file) }
}
