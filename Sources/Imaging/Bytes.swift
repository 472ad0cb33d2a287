extension UnsafeMutableRawBufferPointer {
  /// Writes a number, lowest byte first, at an offset that need not be aligned.
  func put(_ value: some FixedWidthInteger, at offset: Int) {
    storeBytes(of: value.littleEndian, toByteOffset: offset, as: type(of: value))
  }

  func put(_ bytes: [UInt8], at offset: Int) {
    UnsafeMutableRawBufferPointer(rebasing: self[offset..<offset + bytes.count]).copyBytes(
      from: bytes)
  }

  func zero() { initializeMemory(as: UInt8.self, repeating: 0) }
}

/// Text for messages of a path in a tree.
func shown(_ path: [UInt8]) -> String { "/" + String(decoding: path, as: UTF8.self) }
