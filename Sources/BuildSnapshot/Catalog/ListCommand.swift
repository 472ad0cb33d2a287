internal import ArgumentParser
internal import Model
internal import Publishing

/// `build-snapshot list [NAME]`: the published versions.
struct ListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List published versions: state, size, age.")

  @Argument(help: "An image's name (default: all images).")
  var name: String?

  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() async throws {
    let (catalog, name) = (store.catalog, name)
    try await running(common) { [common] _ in
      let rows = try (name.map { [$0] } ?? catalog.images()).flatMap { image in
        try catalog.overview(image).map(ReleaseRow.init)
      }
      StandardOutput.write(common.json ? json(rows) : rows.map(\.line).joined())
    }
  }
}

/// What is shown of a release in a list.
private struct ReleaseRow: Encodable {
  var name: String
  var version: String
  var states: [String]
  var virtualSize: Int
  var allocatedSize: Int
  var published: String?
  var path: String
  private let age: String

  private enum CodingKeys: String, CodingKey {
    case name, version, states, virtualSize, allocatedSize, published, path
  }

  init(_ state: ReleaseState) {
    name = state.release.image
    version = state.release.version.description
    states = [
      state.isCurrent ? "current" : nil, state.pin.map { _ in "pinned" },
      state.quarantine.map { _ in "quarantined" }, state.isLeased ? "in use" : nil,
    ].compactMap(\.self)
    virtualSize = state.release.manifest.disk.virtualSize
    allocatedSize = state.release.manifest.disk.allocatedSize
    published = state.published?.description
    path = state.release.disk.string
    age = state.published.map { elapsed(since: $0, at: present()) } ?? "-"
  }

  var line: String {
    padded("\(name)@\(version)", 36) + padded(bytes(allocatedSize), -9) + padded(age, -9) + "  "
      + states.joined(separator: ", ") + "\n"
  }
}
