public import Model

/// A release and how it stands: a line of a list.
public struct ReleaseState: Sendable, Equatable {
  public var release: Release
  public var isCurrent: Bool
  public var isLeased: Bool
  public var pin: Mark?
  public var quarantine: Mark?
  /// When a pointer first named it; nil when history does not say.
  public var published: Timestamp?
}

extension Catalog {
  /// Every published release of an image and how it stands, oldest first.
  ///
  /// - Throws: `.noImage` when nothing was ever published under the name.
  public func overview(_ image: String) throws(CatalogFailure) -> [ReleaseState] {
    guard let pointer = try pointer(image) else { throw .noImage(image, store: store) }
    let pins = try pins(image)
    let quarantined = try quarantined(image)
    let times = try publishingTimes(image)
    return try releases(image).map { release in
      ReleaseState(
        release: release, isCurrent: release.version == pointer.version,
        isLeased: isLeased(release), pin: pins.first { $0.version == release.version },
        quarantine: quarantined.first { $0.version == release.version },
        published: times[release.version])
    }
  }
}
