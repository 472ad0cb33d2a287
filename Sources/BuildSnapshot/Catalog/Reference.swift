internal import ArgumentParser
internal import Model
internal import Publishing

#if canImport(Glibc)
  internal import Glibc
#endif

/// A release on the command line: `NAME`, the current one, or `NAME@VERSION`.
struct Reference: ExpressibleByArgument {
  var image: String
  /// Nil: the current one.
  var version: Version?

  init?(argument: String) {
    let parts = argument.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    image = String(parts[0])
    guard parts.count == 2 else { return }
    guard let version = Version(parts[1]) else { return nil }
    self.version = version
  }

  /// The release itself.
  func release(in catalog: Catalog) throws -> Release {
    try catalog.release(image, version(in: catalog))
  }

  /// The version, which may be gone.
  func version(in catalog: Catalog) throws -> Version {
    guard let version = try version ?? catalog.pointer(image)?.version else {
      throw CatalogFailure.noImage(image, store: catalog.store)
    }
    return version
  }
}

/// Reads a version on the command line.
func readVersion(_ text: String) throws -> Version {
  guard let version = Version(text) else {
    throw ValidationError("'\(text)' is not a version such as 20260131.001")
  }
  return version
}

extension StoreOptions {
  var catalog: Catalog { Catalog(store: folder) }
}

/// The moment at which a command runs.
func present() -> Timestamp { Timestamp(seconds: Int(time(nil))) }

/// How long ago something was, in its largest unit: `3 d`, `5 h`, `12 min`.
func elapsed(since moment: Timestamp, at now: Timestamp) -> String {
  let seconds = max(0, now.seconds - moment.seconds)
  return switch seconds {
  case 172_800...: "\(seconds / 86_400) d"
  case 7_200...: "\(seconds / 3_600) h"
  default: "\(seconds / 60) min"
  }
}
