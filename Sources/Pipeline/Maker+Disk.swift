internal import Imaging
internal import Model
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

extension Maker {
  /// Writes a root as an image, and hashes it.
  func writeDisk(of root: FilePath, to disk: FilePath) throws -> (MadeImage, ImageFacts) {
    let recipe = inputs.recipe
    let facts = try writeImage(
      of: try scanTree(of: root), to: disk,
      options: ImageOptions(
        size: Int64(recipe.image.size), label: recipe.image.label,
        identity: "\(recipe.image.name) \(inputs.lockHash)", epoch: UInt32(inputs.lock.epoch),
        jobs: request.jobs ?? processors),
      events: events)
    try Task.checkCancellation()
    let image = MadeImage(
      virtualSize: recipe.image.size, allocatedSize: Int(facts.allocatedSize),
      sha256: try digest(ofImage: disk, events: events))
    return (image, facts)
  }
}

/// How many processors this machine gives us.
let processors = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
