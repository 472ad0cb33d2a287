internal import Model

/// Where the extended attributes of one node go: into the inode's spare room, and what does not fit
/// there into a block.
///
/// Format: the kernel's "ext4 Data Structures and Algorithms", chapter "Extended Attributes".
struct XattrLayout: Sendable {
  /// The inode's bytes from 160 on; empty when nothing is there.
  var inInode: [UInt8]
  /// A block without its checksum; nil when it is not needed.
  var block: [UInt8]?

  /// An attribute in ext4's form.
  private struct Attribute {
    /// ext4's number for the part before the first dot.
    var prefix: UInt8
    var name: [UInt8]
    var value: [UInt8]

    /// Bytes of the entry and of the value, each rounded up to 4.
    var size: Int { entrySize + (value.count + 3) & ~3 }
    var entrySize: Int { (16 + name.count + 3) & ~3 }
  }

  private static let magic: UInt32 = 0xEA02_0000
  private static let inodeRoom = 256 - 160
  private static let blockHeader = 32

  /// - Returns: nil when there is nothing to keep.
  init?(_ xattrs: [Tree.Xattr], path: [UInt8]) throws(ImagingFailure) {
    var attributes = [Attribute]()
    for xattr in xattrs {
      if let attribute = try Self.convert(xattr, path: path) { attributes.append(attribute) }
    }
    guard !attributes.isEmpty else { return nil }
    // The kernel searches in this order.
    attributes.sort {
      ($0.prefix, $0.name.count) != ($1.prefix, $1.name.count)
        ? ($0.prefix, $0.name.count) < ($1.prefix, $1.name.count)
        : $0.name.lexicographicallyPrecedes($1.name)
    }
    // Small ones into the inode, for as long as they and four closing bytes fit behind the magic.
    var isInInode = [Bool](repeating: false, count: attributes.count)
    var left = Self.inodeRoom - 4 - 4
    for index in attributes.indices.sorted(by: {
      (attributes[$0].size, $0) < (attributes[$1].size, $1)
    }) where attributes[index].size <= left {
      left -= attributes[index].size
      isInInode[index] = true
    }
    let inner = attributes.indices.filter { isInInode[$0] }.map { attributes[$0] }
    let outer = attributes.indices.filter { !isInInode[$0] }.map { attributes[$0] }
    inInode = inner.isEmpty ? [] : Self.renderInner(inner)
    guard !outer.isEmpty else { return }
    let needed = outer.reduce(Self.blockHeader + 4) { $0 + $1.size }
    guard needed <= blockSize else {
      throw .unrepresentable(
        path: shown(path),
        reason: """
          its extended attributes take \(needed) bytes beside the inode, and ext4 has \
          \(blockSize) for them
          """)
    }
    block = Self.renderOuter(outer)
  }

  private static func convert(
    _ xattr: Tree.Xattr, path: [UInt8]
  ) throws(ImagingFailure) -> Attribute? {
    let full = String(decoding: xattr.name, as: UTF8.self)
    if full == "system.posix_acl_access" || full == "system.posix_acl_default" {
      let isDefault = full == "system.posix_acl_default"
      guard let value = diskAccessList(xattr.value) else {
        throw .unrepresentable(path: shown(path), reason: "its '\(full)' is malformed")
      }
      // Owner, group and others alone say no more than the mode does.
      if !isDefault, xattr.value.count == 4 + 3 * 8 { return nil }
      return Attribute(prefix: isDefault ? 3 : 2, name: [], value: value)
    }
    let prefixes: [(String, UInt8)] = [("user.", 1), ("trusted.", 4), ("security.", 6)]
    for (prefix, number) in prefixes where full.hasPrefix(prefix) {
      let name = Array(xattr.name.dropFirst(prefix.utf8.count))
      guard (1...255).contains(name.count) else { break }
      return Attribute(prefix: number, name: name, value: xattr.value)
    }
    throw .unrepresentable(
      path: shown(path), reason: "ext4 has no place for an extended attribute named '\(full)'")
  }

  private static func renderInner(_ attributes: [Attribute]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: inodeRoom)
    bytes.withUnsafeMutableBytes { bytes in
      bytes.put(magic, at: 0)
      let entries = UnsafeMutableRawBufferPointer(rebasing: bytes[4...])
      render(attributes, into: entries, from: 0, hashing: false)
    }
    return bytes
  }

  private static func renderOuter(_ attributes: [Attribute]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: blockSize)
    bytes.withUnsafeMutableBytes { bytes in
      bytes.put(magic, at: 0)
      bytes.put(UInt32(1), at: 4)  // inodes that refer to it
      bytes.put(UInt32(1), at: 8)  // blocks
      let hashes = render(attributes, into: bytes, from: blockHeader, hashing: true)
      bytes.put(hashes.reduce(UInt32(0)) { ($0 << 16 ^ $0 >> 16) ^ $1 }, at: 12)
    }
    return bytes
  }

  /// Writes entries upwards from `start` and values downwards from the end; returns the hashes.
  @discardableResult
  private static func render(
    _ attributes: [Attribute], into bytes: UnsafeMutableRawBufferPointer, from start: Int,
    hashing: Bool
  ) -> [UInt32] {
    var (entry, value) = (start, bytes.count)
    return attributes.map { attribute in
      value -= (attribute.value.count + 3) & ~3
      let hash = hashing ? Self.hash(of: attribute) : 0
      bytes.put(UInt8(attribute.name.count), at: entry)
      bytes.put(attribute.prefix, at: entry + 1)
      bytes.put(UInt16(attribute.value.isEmpty ? 0 : value), at: entry + 2)
      bytes.put(UInt32(attribute.value.count), at: entry + 8)
      bytes.put(hash, at: entry + 12)
      bytes.put(attribute.name, at: entry + 16)
      bytes.put(attribute.value, at: value)
      entry += attribute.entrySize
      return hash
    }
  }

  private static func hash(of attribute: Attribute) -> UInt32 {
    var hash: UInt32 = 0
    for byte in attribute.name { hash = (hash << 5 ^ hash >> 27) ^ UInt32(byte) }
    for start in stride(from: 0, to: attribute.value.count, by: 4) {
      var word: UInt32 = 0
      for (shift, byte) in attribute.value[start...].prefix(4).enumerated() {
        word |= UInt32(byte) << UInt32(8 * shift)
      }
      hash = (hash << 16 ^ hash >> 16) ^ word
    }
    return hash
  }
}

/// An ACL as ext4 keeps it, from the form that the kernel shows: version 1, and ids only where an
/// entry has one. Nil when it is malformed.
private func diskAccessList(_ value: [UInt8]) -> [UInt8]? {
  guard value.count >= 4, value.starts(with: [2, 0, 0, 0]), (value.count - 4) % 8 == 0
  else { return nil }
  var bytes: [UInt8] = [1, 0, 0, 0]
  for start in stride(from: 4, to: value.count, by: 8) {
    let hasIdentifier: Bool
    switch value[start] {
    case 0x02, 0x08: hasIdentifier = true
    case 0x01, 0x04, 0x10, 0x20: hasIdentifier = false
    default: return nil
    }
    bytes += value[start..<start + (hasIdentifier ? 8 : 4)]
  }
  return bytes
}
