internal import Content
internal import Model
internal import Support
internal import SystemPackage
internal import Testing

@Suite("A disk and its table of chunks")
struct VerifyChunksTests {
  private let folder: TemporaryFolder
  private let disk: FilePath
  private let table: ChunkTable
  private let size = 1 << 20

  init() throws {
    folder = try TemporaryFolder()
    disk = folder / "disk"
    let content = [UInt8](repeating: 0x5A, count: 8192)
    let file = try FileDescriptor.open(
      disk, .writeOnly, options: .create, permissions: .ownerReadWrite)
    try file.closeAfter {
      try file.resize(to: 1 << 20)
      for offset in [4096, 65536] { try file.writeAll(toAbsoluteOffset: Int64(offset), content) }
    }
    let hash = ContentHash(of: content)
    table = try ChunkTable(
      [4096, 65536].map { ChunkTable.Chunk(offset: $0, length: 8192, sha256: hash) })
  }

  private func overwrite(_ offset: Int64, with bytes: [UInt8]) throws {
    let file = try FileDescriptor.open(disk, .writeOnly)
    try file.closeAfter { _ = try file.writeAll(toAbsoluteOffset: offset, bytes) }
  }

  @Test("agree, with any number of threads", arguments: [1, 2, 7])
  func agree(jobs: Int) throws {
    #expect(try damagedRanges(of: disk, by: table, size: size, jobs: jobs).isEmpty)
    try overwrite(32768, with: [0, 0, 0])
    #expect(
      try damagedRanges(of: disk, by: table, size: size, jobs: jobs).isEmpty, "written zeros")
  }

  @Test("disagree where a byte differs, in a chunk or in a gap")
  func damage() throws {
    try overwrite(65537, with: [1])
    try overwrite(200_000, with: [1])
    let damaged = try damagedRanges(of: disk, by: table, size: size)
    #expect(damaged.count == 2)
    #expect(damaged.first == 65536..<73728)
    #expect(damaged.last?.contains(200_000) == true)
  }

  @Test("disagree when the size is another one")
  func otherSize() throws {
    try overwrite(1 << 20, with: [0])
    #expect(try damagedRanges(of: disk, by: table, size: size) == [size..<size + 1])
  }
}
