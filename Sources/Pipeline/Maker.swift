internal import Content
internal import Isolation
internal import Model
internal import Publishing
internal import SystemPackage

/// Makes one image of inputs that are all in the store: root, image, release.
struct Maker: Sendable {
  let request: BuildRequest
  let inputs: BuildInputs
  let blobs: BlobStore
  let version: Version?
  /// When the build began.
  let started: Timestamp
  let events: EventSink

  /// Makes the image and publishes it, or puts it where the request wants it.
  ///
  /// The root folder goes, however this ends; `keepsRoot` keeps it when it fails.
  func make(in catalog: Catalog) async throws -> BuildResult {
    let work = try WorkFolder(in: request.store)
    let root = work.path.appending("root")
    try makeFolder(root)
    let sandbox = Sandbox(root: root, hostname: inputs.recipe.image.hostname)
    do {
      try await assemble(in: sandbox)
      try checkPrograms(in: sandbox)
      let staging = try catalog.stage(inputs.recipe.image.name)
      let base = request.publishes ? try catalog.current(inputs.recipe.image.name)?.disk : nil
      let (image, facts) = try writeDisk(of: root, to: staging, base: base)
      let result = try release(staging, image, facts, of: root, in: catalog)
      try work.remove()
      return result
    } catch {
      if request.opensShell, !(error is CancellationError) {
        events(.note("\(error); this shell is in the root, the build ends with it"))
        try sandbox.debugShell()
      }
      if request.keepsRoot {
        events(.note("the root stays in '\(root)' until the next build"))
      } else {
        try work.remove()
      }
      throw error
    }
  }
}
