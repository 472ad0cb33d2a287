import Foundation
import Publishing
import Support
import Testing

@testable import SnapshotClient

@Suite("A watch of a catalog")
struct WatchTests {
  @Test("wakes up at a publication, and by itself")
  func wakes() throws {
    let shop = try Shop()
    try shop.publish(1)
    let watch = CatalogWatch(store: shop.folder / "store", image: "cli")
    #expect(!watch.wait(upTo: .milliseconds(10)))
    try shop.publish(2)
    #expect(watch.wait(upTo: .seconds(10)))
    #expect(!watch.wait(upTo: .milliseconds(10)))
  }

  @Test("is told at once by inotify, long before it would look")
  func inotify() throws {
    let shop = try Shop()
    try shop.publish(1)
    let watch = CatalogWatch(store: shop.folder / "store", image: "cli")
    let publisher = Thread { _ = try? shop.publish(2) }
    let begin = ContinuousClock.now
    publisher.start()
    #expect(watch.wait(upTo: .seconds(60), lookingEvery: .seconds(60)))
    #expect(.now - begin < .seconds(50))
  }

  @Test("looks by itself where there is no inotify")
  func polls() throws {
    let shop = try Shop()
    try shop.publish(1)
    // As on a host whose inotify instances are used up.
    let watch = CatalogWatch(store: shop.folder / "store", image: "cli", descriptor: -1)
    #expect(!watch.wait(upTo: .milliseconds(30), lookingEvery: .milliseconds(5)))
    try shop.publish(2)
    #expect(watch.wait(upTo: .seconds(10), lookingEvery: .milliseconds(5)))
    #expect(!watch.wait(upTo: .milliseconds(30), lookingEvery: .milliseconds(5)))
    let publisher = Thread { _ = try? shop.publish(3) }
    publisher.start()
    #expect(watch.wait(upTo: .seconds(30), lookingEvery: .milliseconds(5)))
  }

  @Test("notices the first publication in a folder that was not there", arguments: [true, false])
  func early(hasInotify: Bool) throws {
    let shop = try Shop()
    let store = shop.folder / "store"
    let watch =
      hasInotify
      ? CatalogWatch(store: store, image: "cli")
      : CatalogWatch(store: store, image: "cli", descriptor: -1)
    #expect(!watch.wait(upTo: .milliseconds(10)))
    try shop.publish(1)
    #expect(watch.wait(upTo: .seconds(10), lookingEvery: .milliseconds(5)))
  }
}
