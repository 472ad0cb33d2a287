internal import Content
internal import Model

/// Puts into memory what shall be in a window of the disk.
struct WindowFiller: ~Copyable {
  private let plan: ImagePlan
  private var reader: ContentReader

  init(_ plan: ImagePlan) {
    self.plan = plan
    reader = ContentReader(plan.demand.tree)
  }

  /// What the content of a window is known by; nil unless all of it is that of files that can be known.
  func key(of window: Window) -> KnownChunks.Key? {
    var hasher = Hasher256()
    for slice in window.slices {
      guard case .data(let node, let from) = plan.pieces[slice.piece].content,
        case .file(let file) = plan.demand.tree.nodes[Int(node)].kind,
        let key = reader.key(of: file)
      else { return nil }
      withUnsafeBytes(of: (key, from + slice.offset, slice.count)) { hasher.update($0) }
    }
    return hasher.finish().words.lowHalf
  }

  mutating func fill(
    _ bytes: UnsafeMutableRawBufferPointer, for window: Window
  ) throws(ImagingFailure) {
    var start = 0
    for slice in window.slices {
      let end = start + Int(slice.count) * blockSize
      try fill(UnsafeMutableRawBufferPointer(rebasing: bytes[start..<end]), slice)
      start = end
    }
  }

  private mutating func fill(
    _ bytes: UnsafeMutableRawBufferPointer, _ slice: Window.Slice
  ) throws(ImagingFailure) {
    let piece = plan.pieces[slice.piece]
    switch piece.content {
    case .data(let number, let from):
      let node = Int(number)
      guard case .file(let file) = plan.demand.tree.nodes[node].kind else { return }
      let offset = Int64(from + slice.offset) * Int64(blockSize)
      let left = file.size - offset
      if left < bytes.count { UnsafeMutableRawBufferPointer(rebasing: bytes[Int(left)...]).zero() }
      try reader.read(node: node, file: file, from: offset, into: bytes)
    case .frame: try plan.frame.read(bytes, at: piece.start + UInt64(slice.offset))
    default:
      bytes.zero()
      for index in 0..<Int(slice.count) {
        let block = UnsafeMutableRawBufferPointer(
          rebasing: bytes[(index * blockSize)..<((index + 1) * blockSize)])
        render(piece, block: slice.offset + UInt32(index), into: block)
      }
    }
  }

  private func render(
    _ piece: ImagePlan.Piece, block: UInt32, into bytes: UnsafeMutableRawBufferPointer
  ) {
    switch piece.content {
    case .data, .frame: break
    case .directory(let index, let from):
      plan.renderDirectory(Int(index), block: from + block, into: bytes)
    case .symlink(let node):
      if case .symlink(let target) = plan.demand.tree.nodes[Int(node)].kind {
        bytes.put(target, at: 0)
      }
    case .xattrs(let node): plan.renderXattrs(of: Int(node), at: piece.start, into: bytes)
    case .extents(let node, let index):
      plan.renderExtents(of: Int(node), block: Int(index), into: bytes)
    case .journalExtents(let index): plan.renderExtents(of: nil, block: Int(index), into: bytes)
    case .inodes(let first):
      plan.renderInodes(
        from: first + block * UInt32(blockSize / InodeRecord.size), into: bytes)
    case .journal: bytes.put(plan.journalStart, at: 0)
    }
  }
}
