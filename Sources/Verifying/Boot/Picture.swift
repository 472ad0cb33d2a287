/// A picture of a screen, three bytes a pixel.
struct Picture: Sendable, Equatable {
  var width: Int
  var height: Int
  var pixels: [UInt8]

  /// Whether all of it has one colour, but for a pointer's worth of pixels.
  var isBlank: Bool {
    func colour(_ at: Int) -> UInt32 {
      UInt32(pixels[at]) << 16 | UInt32(pixels[at + 1]) << 8 | UInt32(pixels[at + 2])
    }
    let places = stride(from: 0, to: pixels.count - 2, by: 3)
    // The only colour that more than half of the pixels can have, by Boyer and Moore's vote.
    var (ground, lead): (UInt32, Int) = (0, 0)
    for at in places {
      if lead == 0 { ground = colour(at) }
      lead += colour(at) == ground ? 1 : -1
    }
    return places.count { colour($0) != ground } <= 1024
  }

  /// As PNG. Sources: the PNG specification; RFC 1950 and 1951, blocks stored as they are.
  var png: [UInt8] {
    var raw: [UInt8] = []
    raw.reserveCapacity(pixels.count + height)
    for row in 0..<height {
      raw.append(0)
      raw += pixels[(row * width * 3)..<((row + 1) * width * 3)]
    }
    var data: [UInt8] = [0x78, 0x01]
    var at = 0
    repeat {
      let count = min(65535, raw.count - at)
      data.append(at + count == raw.count ? 1 : 0)
      data += [
        UInt8(count & 0xFF), UInt8(count >> 8), UInt8(~count & 0xFF), UInt8(~count >> 8 & 0xFF),
      ]
      data += raw[at..<(at + count)]
      at += count
    } while at < raw.count
    var (a, b): (UInt32, UInt32) = (1, 0)
    for byte in raw {
      a = (a + UInt32(byte)) % 65521
      b = (b + a) % 65521
    }
    data += bigEndian(b << 16 | a)
    let header = bigEndian(UInt32(width)) + bigEndian(UInt32(height)) + [8, 2, 0, 0, 0]
    return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + chunk("IHDR", header)
      + chunk("IDAT", data) + chunk("IEND", [])
  }

  private func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
    let body = Array(name.utf8) + data
    var sum: UInt32 = 0xFFFF_FFFF
    for byte in body { sum = Self.table[Int((sum ^ UInt32(byte)) & 0xFF)] ^ sum >> 8 }
    return bigEndian(UInt32(data.count)) + body + bigEndian(~sum)
  }

  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in
      value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1
    }
  }
}

private func bigEndian(_ value: UInt32) -> [UInt8] {
  [24, 16, 8, 0].map { UInt8(value >> $0 & 0xFF) }
}
