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
  /// What the next survey need not search again.
  public var known: KnownContents
}

/// Goes once through the contents of all files of an image, in the order in which they lie there.
///
/// - Parameters:
///   - meant: the tree that the image was made of; contents are compared with it byte by byte.
///   - known: contents of the tree that are only compared, since what else is to be found out is known.
///   - overlap: how many bytes before a part it begins with the end of the part before.
///   - scan: called from several threads with each part of a file, one file's parts in their order;
///     returns whether it found something.
/// - Throws: `ImagingFailure`, `CancellationError`.
public func survey(
  _ image: ImageContents, against meant: Tree?, known: KnownContents, jobs: Int, overlap: Int = 0,
  scan: @escaping @Sendable (_ node: Int, _ part: UnsafeRawBufferPointer) -> Bool
) throws -> ImageSurvey {
  let pass = SurveyPass(image, against: meant, known: known, overlap: overlap, scan: scan)
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
    var known: KnownContents
    var failure: (any Error)?
  }

  /// A part of a file, in memory.
  private struct Part {
    var bytes: UnsafeMutableRawBufferPointer
    /// Where in the file it begins.
    var offset: Int64
  }

  /// What was found out of a file.
  private struct Finding {
    var hash: ContentHash
    var isAsMeant: Bool
    /// What its content is known by from now on; nil when it has to be searched again.
    var key: KnownContents.Key?
  }

  private static let partSize = 2 << 20

  private let image: ImageContents
  private let meant: Tree?
  /// For each node of the image, the one of the tree that was meant; -1 where there is none.
  private let counterparts: [Int]
  private let files: [(node: Int, file: Tree.File)]
  private let known: KnownContents
  private let overlap: Int
  private let scan: @Sendable (Int, UnsafeRawBufferPointer) -> Bool
  private let state: Mutex<State>

  init(
    _ image: ImageContents, against meant: Tree?, known: KnownContents, overlap: Int,
    scan: @escaping @Sendable (Int, UnsafeRawBufferPointer) -> Bool
  ) {
    self.image = image
    self.meant = meant
    self.known = known
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
    state = Mutex(
      State(
        contents: Array(repeating: nil, count: image.tree.nodes.count),
        known: KnownContents(rule: known.rule)))
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
        let finding = try look(at: node, file, &reader, found, wanted, isCancelled)
        state.withLock { state in
          state.contents[node] = finding.hash
          if !finding.isAsMeant { state.differing.append(node) }
          if let key = finding.key { state.known[key] = finding.hash }
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
  ) throws -> Finding {
    let counterpart = counterpart(of: node)
    let isAsLong = counterpart.map { $0.file.size == file.size } ?? true
    let key = counterpart.flatMap { reader.key(of: $0.file) }
    if let key, isAsLong, let hash = known[key] {
      let isAsMeant = try forEachPart(of: node, file, found, isCancelled) { _, part in
        try isSame(part, as: counterpart, &reader, wanted)
      }
      if isAsMeant { return Finding(hash: hash, isAsMeant: true, key: key) }
    }
    var (isAsMeant, isClean) = (isAsLong, true)
    var hasher = Hasher256()
    _ = try forEachPart(of: node, file, found, isCancelled) { kept, part in
      hasher.update(UnsafeRawBufferPointer(part.bytes))
      if scan(
        node,
        UnsafeRawBufferPointer(rebasing: found[(overlap - kept)..<(overlap + part.bytes.count)]))
      {
        isClean = false
      }
      if isAsMeant { isAsMeant = try isSame(part, as: counterpart, &reader, wanted) }
      return true
    }
    return Finding(
      hash: hasher.finish(), isAsMeant: isAsMeant, key: isAsMeant && isClean ? key : nil)
  }

  /// Reads a file part by part, each behind the end of the part before, until `body` returns false.
  ///
  /// - Parameter body: gets how much of the part before is there.
  /// - Returns: whether `body` saw all of the file.
  private func forEachPart(
    of node: Int, _ file: Tree.File, _ found: UnsafeMutableRawBufferPointer,
    _ isCancelled: () -> Bool, _ body: (_ kept: Int, Part) throws -> Bool
  ) throws -> Bool {
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
      guard try body(kept, Part(bytes: part, offset: position)) else { return false }
      position += Int64(count)
    }
    return true
  }

  /// Whether a part of a file is what was meant, if anything was.
  private func isSame(
    _ part: Part, as counterpart: (node: Int, file: Tree.File)?, _ reader: inout ContentReader,
    _ buffer: UnsafeMutableRawBufferPointer
  ) throws -> Bool {
    guard let counterpart else { return true }
    let wanted = UnsafeMutableRawBufferPointer(rebasing: buffer[..<part.bytes.count])
    try reader.read(
      node: counterpart.node, file: counterpart.file, from: part.offset, into: wanted)
    guard let first = wanted.baseAddress, let second = part.bytes.baseAddress else { return true }
    return memcmp(first, second, wanted.count) == 0
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
      return ImageSurvey(
        contents: state.contents, differing: state.differing.sorted(), known: state.known)
    }
  }
}
