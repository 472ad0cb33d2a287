import Content
import Foundation
import Support
import SystemPackage
import Testing

@Suite("Xz that is decoded on several threads", .enabled(if: hasTool("xz"), "needs xz"))
struct XzReaderTests {
  private static let text = [UInt8]((0..<20_000).flatMap { "\($0 &* 2_654_435_761) ".utf8 })
  private var plain: [UInt8] { Self.text }

  /// Compresses the text as `xz` does with some options.
  private func compressed(_ options: String...) throws -> [UInt8] {
    let folder = try TemporaryFolder()
    try Data(plain).write(to: URL(fileURLWithPath: (folder / "text").string))
    _ = try runTool("xz", options + ["text"], folder: folder.path.string).succeeded()
    return Array(try Data(contentsOf: URL(fileURLWithPath: (folder / "text.xz").string)))
  }

  /// Decodes bytes that come in pieces.
  private func content(of bytes: [UInt8], threads: Int = 2, piece: Int = 70_000) throws -> [UInt8] {
    let reader = try XzReader(threads: threads)
    var content: [UInt8] = []
    var rest = bytes[...]
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 100_000, alignment: 16)
    defer { buffer.deallocate() }
    while true {
      let count = try reader.read(into: buffer) { target in
        let part = rest.prefix(min(piece, target.count))
        rest.removeFirst(part.count)
        target.copyBytes(from: part)
        return part.count
      }
      if count == 0 { return content }
      content += UnsafeRawBufferPointer(rebasing: buffer[..<count])
    }
  }

  @Test(
    "gives what was written, in one block or many, with their sizes or without",
    arguments: [
      ["-T1"], ["-T2", "--block-size=20000"], ["-T1", "--block-size=20000"], ["-9e"],
      ["-T2", "--block-size=100000", "--check=sha256"], ["-0", "--check=none"],
    ], [1, 2, 8])
  func whole(options: [String], threads: Int) throws {
    let bytes =
      switch options.count {
      case 1: try compressed(options[0])
      case 2: try compressed(options[0], options[1])
      default: try compressed(options[0], options[1], options[2])
      }
    #expect(try content(of: bytes, threads: threads) == plain)
    #expect(try content(of: bytes + bytes, threads: threads, piece: 4097) == plain + plain)
  }

  @Test("finds where it is cut off, wherever that is", arguments: [1, 2, 5, 13, 40, 100, 1000])
  func truncated(parts: Int) throws {
    let bytes = try compressed("-T2", "--block-size=40000")
    let cut = Array(bytes[..<(bytes.count - bytes.count / parts / 2 - 1)])
    #expect(throws: XzFailure.self) { try content(of: cut) }
  }

  @Test("finds damage in blocks, headers, index and what follows")
  func damaged() throws {
    let bytes = try compressed("-T2", "--block-size=40000")
    for seed in 0..<24 {
      var bad = bytes
      var random = SplitMix64(seed: UInt64(seed))
      let place =
        switch seed % 4 {
        case 0: Int(random.next() % 64)
        case 1: bytes.count - 1 - Int(random.next() % 64)
        default: Int(random.next() % UInt64(bytes.count))
        }
      bad[place] ^= UInt8(1 << (random.next() % 8))
      #expect(throws: XzFailure.self, "seed \(seed)") { try content(of: bad) }
    }
    #expect(throws: XzFailure.self) { try content(of: bytes + [1, 2, 3, 4]) }
    #expect(throws: XzFailure.self) { try content(of: Array("no xz at all".utf8)) }
  }

  @Test("refuses what wants more memory than an archive needs")
  func greedy() throws {
    let bytes = try compressed("--lzma2=dict=1GiB", "-T1")
    #expect(throws: XzFailure.tooLarge) { try content(of: bytes) }
  }

  @Test("what the source throws comes out")
  func source() throws {
    let reader = try XzReader(threads: 2)
    var buffer = [UInt8](repeating: 0, count: 100)
    #expect(throws: Errno.ioError) {
      try buffer.withUnsafeMutableBytes { try reader.read(into: $0) { _ in throw Errno.ioError } }
    }
  }
}
