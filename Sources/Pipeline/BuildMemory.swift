internal import Content
internal import Imaging
internal import SystemPackage

/// What builds of an image remember of contents that are still where they were, so that the next build need not
/// hash and search them again; beside the history of its stages.
///
/// Without it, or when it was damaged, a build takes longer and makes the same.
struct BuildMemory: Sendable {
  var contents: KnownContents?
  var chunks: KnownChunks?

  /// Nothing is remembered.
  init() {}

  /// Reads what the last build of an image left.
  init(of image: String, in store: FilePath) {
    // What cannot be read is not known.
    contents = (try? Content.contents(of: file(of: image, "contents", in: store)))
      .flatMap { KnownContents(bytes: $0) }
    chunks = (try? Content.contents(of: file(of: image, "chunks", in: store)))
      .flatMap { KnownChunks(bytes: $0) }
  }

  func write(of image: String, in store: FilePath) throws {
    for (kind, bytes) in [("contents", contents?.bytes), ("chunks", chunks?.bytes)] {
      guard let bytes else { continue }
      let file = file(of: image, kind, in: store)
      try makeFolder(file.removingLastComponent())
      try writeAtomically(bytes, to: file)
    }
  }
}

private func file(of image: String, _ kind: String, in store: FilePath) -> FilePath {
  store.appending("layers/history").appending("\(image).\(kind)")
}
