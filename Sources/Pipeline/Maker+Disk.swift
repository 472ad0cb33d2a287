internal import Imaging
internal import Model
internal import Publishing
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

extension Maker {
  /// Writes a root as an image, hashed, with the table of its chunks beside it.
  ///
  /// - Parameter base: an older image of the same name, to share blocks with where that can be.
  func writeDisk(
    of root: FilePath, to staging: Staging, base: FilePath?
  ) throws -> (MadeImage, ImageFacts) {
    let recipe = inputs.recipe
    // Sharing is a saving: an older image that cannot be read is no reason to make none.
    let base = base.flatMap { access($0.string, R_OK) == 0 ? $0 : nil }
    let facts = try writeImage(
      of: try scanTree(of: root), to: staging.disk,
      options: ImageOptions(
        size: Int64(recipe.image.size), label: recipe.image.label, identity: recipe.image.name,
        epoch: UInt32(inputs.lock.epoch), jobs: request.jobs ?? processors),
      base: base, events: events)
    try Task.checkCancellation()
    try staging.add(
      facts.chunks.bytes, as: ChunkTable.fileName, role: "chunks", mediaType: ChunkTable.mediaType)
    let image = MadeImage(
      virtualSize: recipe.image.size, allocatedSize: Int(facts.allocatedSize),
      sha256: facts.sha256)
    return (image, facts)
  }
}

/// How many processors this machine gives us.
let processors = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
