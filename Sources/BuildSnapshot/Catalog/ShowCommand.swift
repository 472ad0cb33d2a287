internal import ArgumentParser
internal import Content
internal import Model
internal import Publishing
internal import Verifying

/// `build-snapshot show NAME[@VERSION]`: one release.
struct ShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract:
      "Show one release: what it holds and what it was made from; --json gives its manifest.")

  @Argument(help: "NAME, for the current version, or NAME@VERSION.")
  var release: Reference

  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() async throws {
    let (catalog, reference) = (store.catalog, release)
    try await running(common) { [common] _ in
      let release = try reference.release(in: catalog)
      StandardOutput.write(
        common.json
          ? String(
            decoding: try contents(of: release.folder.appending(Manifest.fileName)), as: UTF8.self)
          : text(of: release))
    }
  }
}

private func text(of release: Release) -> String {
  let manifest = release.manifest
  let packages = manifest.inputs.packageCount.sorted { $0.key < $1.key }
    .map { "\($0.value) \($0.key)" }.joined(separator: ", ")
  let repositories = manifest.inputs.repositories
    .map { "\($0.suite) of \($0.date?.description ?? "-")" }.joined(separator: ", ")
  let rows = [
    ("image", "\(release.image)@\(release.version)"),
    ("path", release.disk.string),
    (
      "size",
      "\(bytes(manifest.disk.virtualSize)), \(bytes(manifest.disk.allocatedSize)) on disk"
    ),
    ("sha256", manifest.disk.sha256.hex),
    ("system", "\(manifest.os.id) \(manifest.os.versionId), \(manifest.image.architecture)"),
    ("packages", packages),
    ("repositories", repositories),
    (
      "agents",
      manifest.agents.map { "\($0.name) \($0.sha256.hex.prefix(12))" }.joined(separator: ", ")
    ),
    (
      "recipe",
      "\(manifest.inputs.recipe.file ?? "-") \(manifest.inputs.recipe.sha256.hex.prefix(12))"
    ),
    ("lock", String(manifest.inputs.lock.sha256.hex.prefix(12))),
    ("epoch", Timestamp(seconds: manifest.reproducibility.sourceDateEpoch).description),
    ("before", manifest.lineage.previous?.version.description ?? ""),
  ]
  return rows.filter { !$0.1.isEmpty }.map { padded($0.0, 14) + $0.1 + "\n" }.joined()
    + checks(of: manifest)
}

/// A line for each check, with its result, time and remark.
private func checks(of manifest: Manifest) -> String {
  guard !manifest.checks.isEmpty else { return "" }
  return "checks\n"
    + Report(manifest.checks).text.split(separator: "\n").map { "  \($0)\n" }.joined()
}
