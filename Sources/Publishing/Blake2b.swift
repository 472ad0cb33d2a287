/// BLAKE2b without a key, which minisign hashes messages with. Source: RFC 7693.
///
/// - Parameter length: bytes of the digest, from 1 to 64.
func blake2b(_ message: [UInt8], length: Int = 64) -> [UInt8] {
  var state = initial
  state[0] ^= 0x0101_0000 ^ UInt64(length)
  let blocks = max(1, (message.count + 127) / 128)
  for block in 0..<blocks {
    let end = min(message.count, (block + 1) * 128)
    var words = [UInt64](repeating: 0, count: 16)
    for index in block * 128..<end {
      words[index % 128 / 8] |= UInt64(message[index]) << UInt64(index % 8 * 8)
    }
    compress(&state, words, bytesSoFar: UInt64(end), isLast: block == blocks - 1)
  }
  return (0..<length).map { UInt8(truncatingIfNeeded: state[$0 / 8] >> UInt64($0 % 8 * 8)) }
}

private func compress(
  _ state: inout [UInt64], _ words: [UInt64], bytesSoFar: UInt64, isLast: Bool
) {
  var v = state + initial
  v[12] ^= bytesSoFar
  if isLast { v[14] = ~v[14] }
  func mix(_ a: Int, _ b: Int, _ c: Int, _ d: Int, _ x: UInt64, _ y: UInt64) {
    v[a] = v[a] &+ v[b] &+ x
    v[d] = rotated(v[d] ^ v[a], 32)
    v[c] = v[c] &+ v[d]
    v[b] = rotated(v[b] ^ v[c], 24)
    v[a] = v[a] &+ v[b] &+ y
    v[d] = rotated(v[d] ^ v[a], 16)
    v[c] = v[c] &+ v[d]
    v[b] = rotated(v[b] ^ v[c], 63)
  }
  for round in 0..<12 {
    let s = schedule[round % 10]
    for column in 0..<4 {
      mix(
        column, 4 + column, 8 + column, 12 + column, words[s[2 * column]],
        words[s[2 * column + 1]])
    }
    for column in 0..<4 {
      mix(
        column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4,
        words[s[8 + 2 * column]], words[s[9 + 2 * column]])
    }
  }
  for index in 0..<8 { state[index] ^= v[index] ^ v[index + 8] }
}

private func rotated(_ word: UInt64, _ count: UInt64) -> UInt64 {
  word >> count | word << (64 - count)
}

private let initial: [UInt64] = [
  0x6A09_E667_F3BC_C908, 0xBB67_AE85_84CA_A73B, 0x3C6E_F372_FE94_F82B, 0xA54F_F53A_5F1D_36F1,
  0x510E_527F_ADE6_82D1, 0x9B05_688C_2B3E_6C1F, 0x1F83_D9AB_FB41_BD6B, 0x5BE0_CD19_137E_2179,
]

private let schedule: [[Int]] = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
]
