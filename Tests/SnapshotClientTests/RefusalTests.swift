import Foundation
import Model
import Publishing
import SnapshotClient
import Support
import Testing

/// What a client does not boot, each with the reason that it gives.
@Suite("A client refuses")
struct RefusalTests {
  let now = Shop.now

  @Test("a pointer that another key signed")
  func otherKey() throws {
    let shop = try Shop()
    try shop.publish(1)
    let key = SigningKey.generate().publicKey
    let stranger = try shop.client(keys: [key])
    let error = #expect(throws: TrustFailure.self) { try stranger.current(at: now) }
    guard case .wrongKey(_, let trusted)? = error else {
      Issue.record("another reason: \(String(describing: error))")
      return
    }
    #expect(trusted == [key.identity])
    // Nothing of it is remembered: the right key still reads the catalog.
    #expect(try shop.client().current(at: now).version.number == 1)
  }

  @Test("a pointer without a signature, where it has a key")
  func unsigned() throws {
    let shop = try Shop(isSigned: false)
    try shop.publish(1)
    let client = try shop.client(keys: [SigningKey.generate().publicKey])
    #expect(throws: TrustFailure.unsigned(image: "cli")) { try client.current(at: now) }
  }

  @Test("a pointer that was changed after it was signed")
  func changed() throws {
    let shop = try Shop()
    try shop.publish(1)
    var envelope = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: shop.pointer)) as? [String: Any])
    let payload = try #require(
      (envelope["payload"] as? String).flatMap { Data(base64Encoded: $0) })
    let text = String(decoding: payload, as: UTF8.self)
    let forged = text.replacing(#/"generation" ?: ?1\b/#, with: "\"generation\":9")
    #expect(forged != text)
    envelope["payload"] = Data(forged.utf8).base64EncodedString()
    try JSONSerialization.data(withJSONObject: envelope).write(to: shop.pointer)
    #expect {
      try shop.client().current(at: now)
    } throws: { error in
      if case .wrongKey? = error as? TrustFailure { true } else { false }
    }
  }

  @Test("a lower generation than it ever saw, also after its own restart")
  func lowerGeneration() throws {
    let shop = try Shop()
    try shop.publish(1)
    let old = try Data(contentsOf: shop.pointer)
    let second = try shop.publish(2)
    #expect(try shop.client().current(at: now).version == second.version)
    try old.write(to: shop.pointer)
    let stale = TrustFailure.staleGeneration(image: "cli", 1, seen: 2)
    for _ in 0..<2 {
      #expect(throws: stale) { try shop.client().current(at: now) }
      #expect(throws: stale) { try shop.client().lease(at: now) }
    }
  }

  @Test("to forget which generation it saw")
  func forgets() throws {
    let shop = try Shop()
    try shop.publish(1)
    try shop.folder.write("state.json", "{")
    #expect(throws: CatalogFailure.self) { try shop.client() }
  }

  @Test("a pointer that expired")
  func expired() throws {
    let shop = try Shop()
    try shop.publish(1, expires: 60)
    let client = try shop.client()
    #expect(try client.current(at: Timestamp(seconds: now.seconds + 60)).version.number == 1)
    #expect(throws: TrustFailure.expired(image: "cli", Timestamp(seconds: now.seconds + 60))) {
      try client.current(at: Timestamp(seconds: now.seconds + 61))
    }
  }

  @Test("a disk, or a manifest, of other bytes than were signed", arguments: [true, false])
  func otherBytes(isDisk: Bool) throws {
    let shop = try Shop()
    let release = try shop.publish(1)
    let client = try shop.client()
    // Verified once; a file that changes after that is noticed all the same.
    _ = try client.current(at: now)
    let file = isDisk ? release.disk : release.folder.appending(Manifest.fileName)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: file.string))
    bytes[bytes.count - (isDisk ? 1 : 2)] ^= isDisk ? 1 : 0x20
    if !isDisk { bytes = Data(bytes.dropLast(2)) + Data(" }\n".utf8) }
    unlink(file.string)
    try bytes.write(to: URL(fileURLWithPath: file.string))
    let name = isDisk ? "rootfs.ext4" : Manifest.fileName
    for client in [client, try shop.client()] {
      #expect {
        try client.lease(at: now)
      } throws: { error in
        if case .otherBytes(file: name, _, _)? = error as? TrustFailure { true } else { false }
      }
    }
  }
}
