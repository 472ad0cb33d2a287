internal import Dispatch
public import Model
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// Goes once through the contents of all files of an image, in the order in which they lie there.
///
/// - Parameters:
///   - meant: the tree that the image was made of; contents are compared with it byte by byte.
///   - overlap: how many bytes before a part it begins with the end of the part before.
///   - scan: called from several threads with each part of a file.
/// - Returns: the nodes, of the image's tree, whose content is not what was meant; sorted.
public func survey(
  _ image: ImageContents, against meant: Tree?, jobs: Int, overlap: Int = 0,
  scan: @escaping @Sendable (_ node: Int, _ part: UnsafeRawBufferPointer) -> Void
) throws -> [Int] {
  let pass = SurveyPass(image, against: meant, overlap: overlap, scan: scan)
  DispatchQueue.concurrentPerform(iterations: max(1, jobs)) { _ in pass.work() }
  return try pass.result()
}

/// Threads take parts of files in turn.
private final class SurveyPass: Sendable {
  private struct Part: Sendable {
    var node: Int
    var start: Int64
    var end: Int64
  }

  private struct State {
    var next = 0
    var differing: Set<Int> = []
    var failure: (any Error)?
  }

  private static let partSize: Int64 = 2 << 20

  private let image: ImageContents
  private let meant: Tree?
  /// For each node of the image, the one of the tree that was meant; -1 where there is none.
  private let counterparts: [Int]
  private let parts: [Part]
  private let overlap: Int64
  private let scan: @Sendable (Int, UnsafeRawBufferPointer) -> Void
  private let state = Mutex(State())

  init(
    _ image: ImageContents, against meant: Tree?, overlap: Int,
    scan: @escaping @Sendable (Int, UnsafeRawBufferPointer) -> Void
  ) {
    self.image = image
    self.meant = meant
    self.overlap = Int64(overlap)
    self.scan = scan
    var counterparts = [Int](repeating: -1, count: image.tree.nodes.count)
    if let meant {
      let nodes = Dictionary(meant.entries.map { ($0.path, $0.node) }) { first, _ in first }
      for entry in image.tree.entries where counterparts[entry.node] < 0 {
        counterparts[entry.node] = nodes[entry.path] ?? -1
      }
    }
    self.counterparts = counterparts
    let order = image.tree.nodes.indices.sorted {
      image.extents[$0].first?.physical ?? 0 < image.extents[$1].first?.physical ?? 0
    }
    parts = order.flatMap { node -> [Part] in
      guard case .file(let file) = image.tree.nodes[node].kind else { return [] }
      return stride(from: 0, to: file.size, by: Int(Self.partSize)).map {
        Part(node: node, start: $0, end: min($0 + Self.partSize, file.size))
      }
    }
  }

  func work() {
    let room = Int(Self.partSize + overlap)
    let found = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 4096)
    let wanted = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 4096)
    defer {
      found.deallocate()
      wanted.deallocate()
    }
    var reader = ContentReader(
      meant
        ?? Tree(
          entries: [Tree.Entry(path: [], node: 0)],
          nodes: [Tree.Node(kind: .directory, mode: 0o755)]))
    do {
      while let part = nextPart() {
        if Task.isCancelled { throw CancellationError() }
        let start = max(0, part.start - overlap)
        let bytes = UnsafeMutableRawBufferPointer(rebasing: found[..<Int(part.end - start)])
        _ = try image.read(part.node, from: start, into: bytes)
        scan(part.node, UnsafeRawBufferPointer(bytes))
        if try !isAsMeant(part, bytes, from: start, &reader, wanted) {
          state.withLock { _ = $0.differing.insert(part.node) }
        }
      }
    } catch {
      state.withLock { $0.failure = $0.failure ?? error }
    }
  }

  private func isAsMeant(
    _ part: Part, _ bytes: UnsafeMutableRawBufferPointer, from start: Int64,
    _ reader: inout ContentReader, _ wanted: UnsafeMutableRawBufferPointer
  ) throws -> Bool {
    guard let meant, counterparts[part.node] >= 0,
      case .file(let file) = meant.nodes[counterparts[part.node]].kind
    else { return true }
    guard file.size >= part.end else { return false }
    let buffer = UnsafeMutableRawBufferPointer(rebasing: wanted[..<bytes.count])
    try reader.read(node: counterparts[part.node], file: file, from: start, into: buffer)
    guard let ours = buffer.baseAddress, let theirs = bytes.baseAddress else { return true }
    return memcmp(ours, theirs, bytes.count) == 0
  }

  private func nextPart() -> Part? {
    state.withLock { state in
      guard state.failure == nil, state.next < parts.count else { return nil }
      state.next += 1
      return parts[state.next - 1]
    }
  }

  func result() throws -> [Int] {
    try state.withLock { state in
      if let failure = state.failure { throw failure }
      return state.differing.sorted()
    }
  }
}
