internal import Content
internal import Fetching
internal import Model
internal import Resolving
internal import SystemPackage

/// What reaches the sources of a recipe: the resolver, and the fetcher that works for it.
struct Sources: Sendable {
  let blobs: BlobStore
  let fetcher: Fetcher
  let resolver: Resolver
  private let scratch: WorkFolder

  init(
    _ recipe: Recipe, store: FilePath, isOffline: Bool, patience: Patience,
    events: @escaping EventSink
  ) async throws {
    blobs = try BlobStore(store: store)
    let work = try WorkFolder(in: store)
    var isDone = false
    // What cannot be removed now is swept by the next build; so in `close`.
    defer { if !isDone { try? work.remove() } }
    var settings = Fetcher.Settings(environment: environmentVariables())
    settings.isOffline = isOffline
    settings.stallLimit = patience.stallLimit
    settings.connectLimit = min(settings.connectLimit, patience.stallLimit)
    settings.retries = patience.retries
    let scratch = work.path
    if recipe.base.mirror == .host {
      // The host's own sources are reached as the host's apt reaches them.
      let plain = Fetcher(store: blobs, settings: settings, events: events)
      let resolver = try Resolver(scratch: scratch, store: store, transport: plain)
      settings.proxies = Proxies(aptConfiguration: try await resolver.aptConfiguration())
    }
    fetcher = Fetcher(store: blobs, settings: settings, events: events)
    resolver = try Resolver(
      scratch: scratch, store: store, transport: fetcher, isOffline: isOffline, events: events)
    self.scratch = work
    isDone = true
  }

  /// Removes what the resolver worked on.
  func close() { try? scratch.remove() }  // see `init`
}
