internal import Content
internal import Imaging
internal import Model
internal import Publishing
internal import Resolving

#if canImport(Glibc)
  internal import Glibc
#endif

extension Maker {
  /// Publishes a finished image, or puts it where the request wants it.
  func release(
    _ staging: Staging, _ image: MadeImage, _ facts: ImageFacts,
    system: Manifest.OperatingSystem, in catalog: Catalog
  ) throws -> BuildResult {
    let recipe = inputs.recipe
    guard request.publishes else {
      guard let output = request.output else { throw Defect(description: "no place for the image") }
      try copySparse(staging.disk, to: output)
      return BuildResult(outcome: .made, name: recipe.image.name, path: output, image: image)
    }
    events(.began(.publish, total: nil, unit: .items))
    try staging.add(
      Array(inputs.lockText.utf8), as: "recipe.lock", role: "lock", mediaType: "application/json")
    try staging.add(
      Array(packageList(of: inputs.lock).utf8), as: "packages.txt", role: "packages",
      mediaType: "text/tab-separated-values")
    let draft = draftManifest(
      of: inputs, image: image, facts: facts,
      system: system, program: request.program)
    try Task.checkCancellation()
    let published = try catalog.publish(
      staging, draft, at: Timestamp(seconds: Int(time(nil))), version: version)
    events(.ended(.publish))
    if let output = request.output { try copySparse(published.release.disk, to: output) }
    if case .unchanged(let release) = published { return BuildResult(release, isNew: false) }
    return BuildResult(published.release, isNew: true)
  }
}
