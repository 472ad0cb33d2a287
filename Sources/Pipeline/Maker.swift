internal import Content
internal import Isolation
internal import Layering
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
  let memory: BuildMemory
  let events: EventSink

  /// Makes the image and publishes it, or puts it where the request wants it.
  ///
  /// The root folder goes, however this ends; `keepsRoot` keeps it when it fails.
  func make(in catalog: Catalog) async throws -> BuildResult {
    let work = try WorkFolder(in: request.store)
    let stack = try rootStack(in: work.path)
    let root = stack.root
    let sandbox = Sandbox(root: root, hostname: inputs.recipe.image.hostname)
    do {
      try await assemble(stack)
      try checkPrograms(in: sandbox)
      let staging = try catalog.stage(inputs.recipe.image.name)
      let base = request.publishes ? try catalog.current(inputs.recipe.image.name)?.disk : nil
      let disk = try await writeDisk(of: root, to: staging, base: base)
      let result = try release(staging, disk, in: catalog)
      keep(stack, disk.memory(at: result.path))
      try stack.hide()
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
        try stack.hide()
        try work.remove()
      }
      throw error
    }
  }

  /// A root that takes its layers from the store; a plain folder where that cannot be or where it shall
  /// outlive us, since layers show to this process alone.
  private func rootStack(in work: FilePath) throws -> RootStack {
    let obstacle = Overlay.obstacle(in: work)
    if let obstacle { events(.note("every stage is built anew: \(obstacle)")) }
    return try RootStack(
      in: work, store: request.usesCache ? LayerStore(store: request.store) : nil,
      isPlain: request.keepsRoot || obstacle != nil)
  }
}
