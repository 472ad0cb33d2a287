import Content
import Support
import SystemPackage
import Testing

@Suite("Zstandard")
struct ZstdTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("what is compressed comes back", arguments: [0, 1, 1000, 300_000])
  func roundTrip(count: Int) throws {
    let bytes = content(count)
    let packed = try Zstd.compress(bytes, level: 5)
    #expect(try Zstd.decompress(packed, limit: count) == bytes)
    #expect(try Zstd.decompress(packed + packed, limit: 2 * count) == bytes + bytes)
  }

  @Test(.enabled(if: hasTool("zstd"), "needs zstd"))
  func theToolReadsWhatWeWriteAndWeWhatItWrites() throws {
    let plain = try folder.write("plain", content(3_000_000))
    try translate(plain, folder / "packed.zst") {
      try Zstd.compress(from: $0, to: $1, threads: 2, size: 3_000_000)
    }
    let judged = try runTool("zstd", ["-lv", (folder / "packed.zst").string])
    #expect(judged.output.contains("(3000000 B)") && judged.output.contains("Check: XXH64"))
    let tested = try runTool(
      "sh", ["-c", "zstd -dc packed.zst | cmp - plain"], folder: folder.path.string)
    #expect(tested.status == 0)
    _ = try runTool("zstd", ["-q", "-9", plain.string, "-o", (folder / "tool.zst").string])
    try translate(folder / "tool.zst", folder / "back") {
      let count = try Zstd.decompress(from: $0, to: $1)
      #expect(count == 3_000_000)
    }
    #expect(try runTool("cmp", [plain.string, (folder / "back").string]).status == 0)
  }

  @Test func theNumberOfThreadsDoesNotShow() throws {
    let plain = try folder.write("plain", content(3_000_000))
    for threads in [0, 1, 3] {
      try translate(plain, folder / "packed\(threads)") {
        try Zstd.compress(from: $0, to: $1, level: 1, threads: threads)
      }
    }
    for name in ["packed0", "packed3"] {
      let same = try runTool("cmp", [(folder / name).string, (folder / "packed1").string])
      #expect(same.status == 0)
    }
  }

  @Test func zerosBecomeHoles() throws {
    let bytes = [1] + [UInt8](repeating: 0, count: 8 << 20)
    let packed = try folder.write("packed", try Zstd.compress(bytes))
    try translate(packed, folder / "back") {
      try Zstd.decompress(from: $0, to: $1, makesHoles: true)
    }
    let facts = try runTool("stat", ["-c", "%s %b", (folder / "back").string]).output
      .split { " \n".contains($0) }.compactMap { Int($0) }
    #expect(facts.count == 2 && facts[0] == bytes.count && facts[1] < 1024)
  }

  @Test func faultyDataAreRefused() throws {
    let packed = try Zstd.compress(content(1000))
    #expect(throws: ZstdFailure.truncated) {
      try Zstd.decompress(Array(packed.dropLast(5)), limit: 1000)
    }
    #expect(throws: ZstdFailure.truncated) { try Zstd.decompress([], limit: 1000) }
    #expect(throws: ZstdFailure.tooLarge(limit: 999)) {
      try Zstd.decompress(packed, limit: 999)
    }
    var flipped = packed
    flipped[flipped.count - 1] ^= 1
    let failure = #expect(throws: ZstdFailure.self) { try Zstd.decompress(flipped, limit: 1000) }
    #expect(failure?.description == "zstd fails: Restored data doesn't match checksum")
    #expect(throws: ZstdFailure.self) { try Zstd.decompress(content(100), limit: 1000) }
  }

  @Test func randomDamageNeverCrashes() throws {
    var random = SplitMix64(seed: 3)
    let packed = try Zstd.compress(content(2000))
    for _ in 0..<500 {
      var damaged = packed
      for _ in 0..<4 {
        damaged[Int.random(in: 0..<damaged.count, using: &random)] = .random(
          in: 0...255, using: &random)
      }
      // Whether it can be read is not the point.
      _ = try? Zstd.decompress(damaged, limit: 1 << 20)
    }
  }

  /// Text-like bytes: they compress, but not to nothing.
  private func content(_ count: Int) -> [UInt8] {
    var random = SplitMix64(seed: UInt64(count))
    let words = ["alpha ", "beta ", "gamma\n", "delta ", "\(random.next()) "].map { Array($0.utf8) }
    var bytes = [UInt8]()
    while bytes.count < count { bytes += words[Int(random.next() % 5)] }
    return Array(bytes.prefix(count))
  }

  private func translate(
    _ source: FilePath, _ target: FilePath,
    _ body: (FileDescriptor, FileDescriptor) throws -> Void
  ) throws {
    let input = try FileDescriptor.open(source, .readOnly)
    try input.closeAfter {
      let output = try FileDescriptor.open(
        target, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
      try output.closeAfter { try body(input, output) }
    }
  }
}
