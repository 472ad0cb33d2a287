internal import Model
internal import Testing

@Suite("A table of chunks")
struct ChunkTableTests {
  private func chunk(_ offset: Int, _ length: Int, _ byte: UInt8 = 1) -> ChunkTable.Chunk {
    ChunkTable.Chunk(
      offset: offset, length: length,
      sha256: ContentHash(bytes: [UInt8](repeating: byte, count: 32)))
  }

  @Test("has 44 bytes for each chunk, and is read as it was written")
  func roundTrip() throws {
    let table = try ChunkTable([chunk(4096, 8192), chunk(5 << 30, 4 << 20, 7)])
    #expect(table.bytes.count == 88)
    #expect(table.bytes[..<12] == [0, 16, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0])
    #expect(table.bytes[44..<56] == [0, 0, 0, 64, 1, 0, 0, 0, 0, 0, 64, 0])
    #expect(try ChunkTable(bytes: table.bytes) == table)
    #expect(table.dataBytes == 8192 + 4 << 20)
    #expect(try ChunkTable(bytes: []).chunks.isEmpty)
  }

  @Test("is refused when chunks overlap, are no whole blocks, or too long")
  func refusals() throws {
    for faulty in [
      [chunk(0, 8192), chunk(4096, 4096)], [chunk(4096, 4096), chunk(0, 4096)], [chunk(1, 4096)],
      [chunk(0, 100)], [chunk(0, 0)], [chunk(0, 8 << 20)], [chunk(Int.max - 4095, 4096)],
    ] {
      #expect(throws: FaultyChunkTable.self) { try ChunkTable(faulty) }
    }
    let error = #expect(throws: FaultyChunkTable.self) {
      try ChunkTable(bytes: [UInt8](repeating: 0, count: 45))
    }
    #expect(error?.reason == "its size, 45, is no multiple of 44")
    #expect(throws: FaultyChunkTable.self) {
      try ChunkTable(bytes: [UInt8](repeating: 0xFF, count: 44))
    }
  }
}
