internal import Content
internal import Dispatch
public import Model
internal import Synchronization

/// The SHA-256 of the content of every file of a tree, by the place of its node; nil for all else.
///
/// Holes count as the zeros that they read as.
///
/// - Throws: `ImagingFailure`: a file cannot be read, or changed since the tree was scanned.
public func contentHashes(of tree: Tree, jobs: Int) throws -> [ContentHash?] {
  let results = Mutex([ContentHash?](repeating: nil, count: tree.nodes.count))
  let failure = Mutex<(any Error)?>(nil)
  let next = Atomic(0)
  try withTaskCancellation({ false }) { isCancelled in
    DispatchQueue.concurrentPerform(iterations: max(1, jobs)) { _ in
      var reader = ContentReader(tree)
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
      defer { buffer.deallocate() }
      while failure.withLock({ $0 == nil }) {
        let node = next.add(1, ordering: .relaxed).oldValue
        guard node < tree.nodes.count else { return }
        guard case .file(let file) = tree.nodes[node].kind else { continue }
        do {
          if isCancelled() { throw CancellationError() }
          let hash = try hash(of: file, node: node, &reader, buffer)
          results.withLock { $0[node] = hash }
        } catch { failure.withLock { $0 = error } }
      }
    }
    if let error = failure.withLock({ $0 }) { throw error }
  }
  return results.withLock { $0 }
}

private func hash(
  of file: Tree.File, node: Int, _ reader: inout ContentReader,
  _ buffer: UnsafeMutableRawBufferPointer
) throws -> ContentHash {
  var hasher = Hasher256()
  var offset: Int64 = 0
  while offset < file.size {
    let count = Int(min(Int64(buffer.count), file.size - offset))
    let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
    try reader.read(node: node, file: file, from: offset, into: piece)
    hasher.update(UnsafeRawBufferPointer(piece))
    offset += Int64(count)
  }
  return hasher.finish()
}
