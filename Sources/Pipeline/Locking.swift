internal import Content
internal import Fetching
public import Model
internal import Resolving
internal import SystemPackage

/// Resolves every input of a recipe and writes its lock beside it.
public func lock(
  _ request: LockRequest, events: @escaping EventSink
) async throws -> LockResult {
  let recipe = try request.source.read()
  let use = try StoreCache(store: request.store).use()
  defer { use.release() }
  return try await lock(recipe, request, events: events)
}

/// Resolves a recipe that has been read. An up-to-date lock asks nobody.
///
/// - Parameter opened: gets what reached the sources, if anything did; the caller closes it.
func lock(
  _ recipe: Recipe, _ request: LockRequest, events: @escaping EventSink,
  opened: (Sources) -> Void = { $0.close() }
) async throws -> LockResult {
  let file = request.source.lockFile
  let old = try readLock(file)
  if request.isLocked {
    guard let old else { throw StaleLock(file: file.string, reason: "there is no lock") }
    guard old.recipe == recipe.digest else {
      throw StaleLock(file: file.string, reason: "the lock answers an older recipe")
    }
  }
  if let old, old.recipe == recipe.digest, request.update == .nothing {
    return LockResult(file: file, lock: old, changes: [])
  }
  let sources = try await Sources(
    recipe, store: request.store, isOffline: request.isOffline, patience: request.patience,
    events: events)
  defer { opened(sources) }
  let new = try await sources.resolver.resolve(recipe, old: old, update: update(of: request))
  let changes = changes(from: old, to: new)
  if !changes.isEmpty {
    if request.isLocked { throw StaleLock(file: file.string, reason: "the lock would change") }
    try writeAtomically(Array(new.text.utf8), to: file)
  }
  return LockResult(file: file, lock: new, changes: changes)
}

/// The lock beside a recipe; nil when there is none yet.
func readLock(_ file: FilePath) throws -> Lock? {
  let bytes: [UInt8]
  do {
    bytes = try contents(of: file)
  } catch Errno.noSuchFileOrDirectory { return nil }
  return try Lock(parsing: String(decoding: bytes, as: UTF8.self), file: file.string)
}

private func update(of request: LockRequest) -> Update {
  switch request.update {
  case .nothing: .none
  case .all: .all
  case .only(let names): .only(names)
  }
}
