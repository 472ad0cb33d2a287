internal import CLinux
internal import Glibc
public import SystemPackage

/// Wakes up when a catalog may have changed: inotify tells at once, and where it cannot be had or says
/// nothing, as on network file systems, a look at the pointer now and then does.
public final class CatalogWatch: Sendable {
  private let descriptor: Int32
  private let folder: FilePath
  private let pointer: Stamp

  /// Watches the image's folder; one that is not there yet is looked for again by each `wait`.
  public convenience init(store: FilePath, image: String) {
    self.init(
      store: store, image: image, descriptor: inotify_init1(Int32(O_CLOEXEC | O_NONBLOCK)))
  }

  /// - Parameter descriptor: inotify's; below zero where this host has no more of them.
  init(store: FilePath, image: String, descriptor: Int32) {
    folder = store.appending("images").appending(image)
    self.descriptor = descriptor
    pointer = Stamp(folder.appending("latest.json"))
    watch()
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Waits until something changed, or for so long.
  ///
  /// - Parameter interval: how often to look where inotify tells nothing.
  /// - Returns: whether something changed that no `wait` has told of.
  public func wait(upTo limit: Duration, lookingEvery interval: Duration = .seconds(1)) -> Bool {
    let end = ContinuousClock.now + limit
    while true {
      watch()
      if pointer.hasChanged() {
        drain()
        return true
      }
      let left = end - .now
      guard left > .zero else { return false }
      // Without inotify, the descriptor is negative: `poll` then only waits.
      var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      if poll(&event, 1, milliseconds(min(left, interval))) > 0 {
        drain()
        _ = pointer.hasChanged()
        return true
      }
    }
  }

  private func milliseconds(_ time: Duration) -> Int32 {
    let parts = time.components
    let whole = parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000
    return Int32(clamping: whole + 1)
  }

  private func drain() {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while read(descriptor, &buffer, buffer.count) > 0 {}
  }

  /// Adding a watch that is there changes nothing.
  private func watch() {
    // `latest.json` takes its name by rename; marks of other writers come below their own folders.
    _ = inotify_add_watch(descriptor, folder.string, UInt32(IN_MOVED_TO | IN_ONLYDIR))
  }
}
