internal import ArgumentParser
internal import Model
internal import Publishing

/// `build-snapshot doctor`: look for what is wrong in the catalog, and mend it.
struct DoctorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Find what is wrong in the catalog: changed images, missing files, stale links.",
    discussion: "Ends with status 1 when something is wrong, and with 0 when --repair mended all.")

  @Flag(name: .long, help: "Mend what can be mended without losing a release.")
  var repair = false

  @Flag(name: .long, help: "Hash every file of every release.")
  var deep = false

  @OptionGroup var store: StoreOptions
  @OptionGroup var signing: SigningOptions
  @OptionGroup var common: CommonOptions

  func run() async throws {
    let (store, signing, repair, deep) = (store.folder, signing, repair, deep)
    try await running(common) { [common] _ in
      let catalog = Catalog(store: store, key: repair ? try signing.key() : nil)
      let found =
        try repair ? catalog.repair(at: present(), isDeep: deep) : catalog.examine(isDeep: deep)
      let left = try repair ? catalog.examine(isDeep: deep) : found
      let lines = found.map(\.description)
      StandardOutput.write(common.json ? json(lines) : lines.map { $0 + "\n" }.joined())
      if !left.isEmpty { throw CatalogFindings(count: left.count, isRepaired: repair) }
    }
  }
}

/// The catalog is not as it should be.
private struct CatalogFindings: Error, CustomStringConvertible {
  var count: Int
  var isRepaired: Bool
  var description: String {
    "\(count) finding\(count == 1 ? "" : "s") in the catalog"
      + (isRepaired ? " cannot be mended safely" : "; 'doctor --repair' mends what is safe")
  }
}
