internal import Layering
public import SystemPackage

/// Removes stages of builds from a store until they take no more than `limit` bytes: those that were not
/// used for longest, and none that is in use.
///
/// Runs inside the user namespace, since a stage's files have many owners.
///
/// - Returns: the stages that go, with their keys.
public func collectLayers(in store: FilePath, limit: Int, isDryRun: Bool) throws -> [String] {
  try LayerStore(store: store).collect(limit: limit, isDryRun: isDryRun).removed
}
