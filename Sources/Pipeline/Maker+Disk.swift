internal import Content
internal import Imaging
internal import Model
internal import Publishing
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// A finished image that has passed its checks.
struct CheckedDisk {
  var image: MadeImage
  var facts: ImageFacts
  var verdict: Verdict
  var holdings: Holdings
  /// The compressed image, where the recipe wants one.
  var download: Manifest.Download?

  /// What the next build need not find out again.
  ///
  /// - Parameter path: where the image is now.
  func memory(at path: FilePath) -> BuildMemory {
    var memory = BuildMemory()
    memory.contents = verdict.known
    memory.chunks = facts.known
    memory.chunks?.settle(at: path)
    return memory
  }
}

extension Maker {
  /// Writes a root as an image and has it judged, while it is still being hashed and compressed; the
  /// table of its chunks goes beside it.
  ///
  /// - Parameter base: an older image of the same name, to share blocks with where that can be.
  /// - Throws: `CheckFailure` when a check failed.
  func writeDisk(
    of root: FilePath, to staging: Staging, base: FilePath?
  ) async throws -> CheckedDisk {
    let recipe = inputs.recipe
    // Sharing is a saving: an older image that cannot be read is no reason to make none.
    let base = base.flatMap { access($0.string, R_OK) == 0 ? $0 : nil }
    let tree = try scanTree(of: root)
    let (facts, (verdict, holdings, download)) = try await writeImage(
      of: tree, to: staging.disk,
      options: ImageOptions(
        size: Int64(recipe.image.size), label: recipe.image.label, identity: recipe.image.name,
        epoch: UInt32(inputs.lock.epoch), jobs: request.jobs ?? processors),
      base: base, known: memory.chunks ?? KnownChunks(), events: events
    ) {
      async let compressed = compress(staging)
      async let held = Holdings(of: root, inputs)
      let verdict = try await check(staging.disk, of: tree, root: root)
      return (verdict, try await held, try await compressed)
    }
    try Task.checkCancellation()
    try staging.add(
      facts.chunks.bytes, as: ChunkTable.fileName, role: "chunks", mediaType: ChunkTable.mediaType)
    let image = MadeImage(
      virtualSize: recipe.image.size, allocatedSize: Int(facts.allocatedSize),
      sha256: facts.sha256)
    return CheckedDisk(
      image: image, facts: facts, verdict: verdict, holdings: holdings, download: download)
  }

  /// Compresses the image for who downloads it, if the recipe wants that.
  private func compress(_ staging: Staging) async throws -> Manifest.Download? {
    guard inputs.recipe.publish.isCompressed, request.publishes else { return nil }
    let name = "\(Manifest.diskFileName).zst"
    try Zstd.compressSeekably(
      staging.disk, to: staging.path.appending(name), jobs: request.jobs ?? processors)
    let (size, hash) = try staging.add(
      written: name, role: "download", mediaType: "application/zstd")
    return Manifest.Download(file: name, size: size, sha256: hash)
  }
}

/// How many processors this machine gives us.
let processors = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
