internal import Content
internal import Dispatch
public import Model
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// What the contents of an image's files are.
public struct ImageSurvey: Sendable {
  /// The SHA-256 of each file's content by the place of its node in the image's tree; nil for all else.
  public var contents: [ContentHash?]
  /// Nodes whose content is not what was meant; sorted.
  public var differing: [Int]
}

/// Goes once through the contents of all files of an image, in the order in which they lie there.
///
/// - Parameters:
///   - meant: the tree that the image was made of; contents are compared with it byte by byte.
///   - overlap: how many bytes before a part it begins with the end of the part before.
///   - scan: called from several threads with each part of a file, one file's parts in their order.
/// - Throws: `ImagingFailure`, `CancellationError`.
public func survey(
  _ image: ImageContents, against meant: Tree?, jobs: Int, overlap: Int = 0,
  scan: @escaping @Sendable (_ node: Int, _ part: UnsafeRawBufferPointer) -> Void
) throws -> ImageSurvey {
  let pass = SurveyPass(image, against: meant, overlap: overlap, scan: scan)
  return try withTaskCancellation({ false }) { isCancelled in
    DispatchQueue.concurrentPerform(iterations: max(1, jobs)) { _ in pass.work(isCancelled) }
    return try pass.result()
  }
}

/// Threads take files in turn.
private final class SurveyPass: Sendable {
  private struct State {
    var next = 0
    var contents: [ContentHash?]
    var differing: [Int] = []
    var failure: (any Error)?
  }

  private static let partSize = 2 << 20

  private let image: ImageContents
  private let meant: Tree?
  /// For each node of the image, the one of the tree that was meant; -1 where there is none.
  private let counterparts: [Int]
  private let files: [(node: Int, file: Tree.File)]
  private let overlap: Int
  private let scan: @Sendable (Int, UnsafeRawBufferPointer) -> Void
  private let state: Mutex<State>

  init(
    _ image: ImageContents, against meant: Tree?, overlap: Int,
    scan: @escaping @Sendable (Int, UnsafeRawBufferPointer) -> Void
  ) {
    self.image = image
    self.meant = meant
    self.overlap = overlap
    self.scan = scan
    var counterparts = [Int](repeating: -1, count: image.tree.nodes.count)
    if let meant {
      let nodes = Dictionary(meant.entries.map { ($0.path, $0.node) }) { first, _ in first }
      for entry in image.tree.entries where counterparts[entry.node] < 0 {
        counterparts[entry.node] = nodes[entry.path] ?? -1
      }
    }
    self.counterparts = counterparts
    let places = image.extents.map { $0.first?.physical ?? 0 }
    files = image.tree.nodes.enumerated().compactMap { node, facts in
      guard case .file(let file) = facts.kind else { return nil }
      return (node, file)
    }.sorted { places[$0.node] < places[$1.node] }
    state = Mutex(State(contents: Array(repeating: nil, count: image.tree.nodes.count)))
  }

  func work(_ isCancelled: () -> Bool) {
    let room = overlap + Self.partSize
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
      while let (node, file) = nextFile() {
        let (hash, isAsMeant) = try look(at: node, file, &reader, found, wanted, isCancelled)
        state.withLock { state in
          state.contents[node] = hash
          if !isAsMeant { state.differing.append(node) }
        }
      }
    } catch {
      state.withLock { $0.failure = $0.failure ?? error }
    }
  }

  /// Goes through one file.
  ///
  /// - Parameters:
  ///   - found: for a part, and before it the end of the part before.
  private func look(
    at node: Int, _ file: Tree.File, _ reader: inout ContentReader,
    _ found: UnsafeMutableRawBufferPointer, _ wanted: UnsafeMutableRawBufferPointer,
    _ isCancelled: () -> Bool
  ) throws -> (ContentHash, isAsMeant: Bool) {
    let counterpart = counterpart(of: node)
    var isAsMeant = counterpart.map { $0.file.size == file.size } ?? true
    var hasher = Hasher256()
    var position: Int64 = 0
    while position < file.size {
      if isCancelled() { throw CancellationError() }
      let kept = position == 0 ? 0 : overlap
      if kept > 0 {
        found.copyMemory(
          from: UnsafeRawBufferPointer(rebasing: found[Self.partSize..<Self.partSize + kept]))
      }
      let count = Int(min(Int64(Self.partSize), file.size - position))
      let part = UnsafeMutableRawBufferPointer(rebasing: found[overlap..<overlap + count])
      _ = try image.read(node, from: position, into: part)
      hasher.update(UnsafeRawBufferPointer(part))
      scan(node, UnsafeRawBufferPointer(rebasing: found[overlap - kept..<overlap + count]))
      if isAsMeant, let counterpart {
        let buffer = UnsafeMutableRawBufferPointer(rebasing: wanted[..<count])
        try reader.read(
          node: counterpart.node, file: counterpart.file, from: position, into: buffer)
        isAsMeant = isSame(buffer, part)
      }
      position += Int64(count)
    }
    return (hasher.finish(), isAsMeant)
  }

  /// What a file was meant to be; nil when nothing was meant, or another check tells of it.
  private func counterpart(of node: Int) -> (node: Int, file: Tree.File)? {
    guard let meant, counterparts[node] >= 0 else { return nil }
    guard case .file(let file) = meant.nodes[counterparts[node]].kind else { return nil }
    return (counterparts[node], file)
  }

  private func nextFile() -> (node: Int, file: Tree.File)? {
    state.withLock { state in
      guard state.failure == nil, state.next < files.count else { return nil }
      state.next += 1
      return files[state.next - 1]
    }
  }

  func result() throws -> ImageSurvey {
    try state.withLock { state in
      if let failure = state.failure { throw failure }
      return ImageSurvey(contents: state.contents, differing: state.differing.sorted())
    }
  }
}

private func isSame(
  _ left: UnsafeMutableRawBufferPointer, _ right: UnsafeMutableRawBufferPointer
) -> Bool {
  guard let first = left.baseAddress, let second = right.baseAddress else { return true }
  return memcmp(first, second, left.count) == 0
}
