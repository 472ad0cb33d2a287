internal import CLinux
internal import Glibc
public import SystemPackage

/// Wakes up when a catalog may have changed: inotify tells at once, and the caller's own time limit
/// serves where it does not, such as on network file systems.
public final class CatalogWatch: Sendable {
  private let descriptor: Int32
  private let folder: FilePath

  /// Watches the image's folder; one that is not there yet is looked for again by each `wait`.
  public init(store: FilePath, image: String) {
    folder = store.appending("images").appending(image)
    descriptor = inotify_init1(Int32(O_CLOEXEC | O_NONBLOCK))
    watch()
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Waits until something changed, or for so long.
  ///
  /// - Returns: whether inotify told; after a time-out the catalog may have changed as well.
  public func wait(upTo limit: Duration) -> Bool {
    watch()
    let parts = limit.components
    let time = Int32(clamping: parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000)
    var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&event, 1, time) > 0 else { return false }
    var buffer = [UInt8](repeating: 0, count: 4096)
    while read(descriptor, &buffer, buffer.count) > 0 {}
    return true
  }

  /// Adding a watch that is there changes nothing.
  private func watch() {
    // `latest.json` takes its name by rename; marks of other writers come below their own folders.
    _ = inotify_add_watch(descriptor, folder.string, UInt32(IN_MOVED_TO | IN_ONLYDIR))
  }
}
