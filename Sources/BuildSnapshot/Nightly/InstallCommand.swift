internal import ArgumentParser
internal import Content
internal import FoundationEssentials
internal import Model
internal import Pipeline
internal import SystemPackage

/// `build-snapshot install RECIPE.toml`: build every night.
struct InstallCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "install",
    abstract: "Write systemd's units that build a recipe every night.",
    discussion: """
      Prints the names of the files that it wrote; 'systemctl daemon-reload' and 'systemctl enable \
      --now NAME.timer' are left to you.
      """)

  @OptionGroup var recipe: RecipeOptions
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  @Option(name: .long, help: ArgumentHelp("Where the units go.", valueName: "dir"))
  var units = "/etc/systemd/system"

  @Option(name: .long, help: ArgumentHelp("When, as systemd.time(7) has it.", valueName: "time"))
  var at = "*-*-* 02:30"

  @Option(
    name: .long,
    help: ArgumentHelp("The secret key; systemd hands it over as a credential.", valueName: "file"))
  var key: String?

  @Option(name: .long, help: ArgumentHelp("Who builds (default: root).", valueName: "name"))
  var user: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "A file for Prometheus' node exporter, renewed by each run.", valueName: "file"))
  var metrics: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "The unit to start when a build fails (default: one that writes into the journal).",
      valueName: "unit"))
  var onFailure: String?

  func run() async throws {
    let folder = absolute(units)
    let source = recipe.source
    let settings = NightlySettings(
      program: ownProgram(), recipe: absolute(recipe.recipe), store: store.folder,
      variables: recipe.settings, time: at, key: key.map(absolute), user: user,
      metrics: metrics.map(absolute), onFailure: onFailure)
    try await running(common) { [common] _ in
      let name = try source.read().image.name
      var written: [String] = []
      for (file, text) in nightlyUnits(for: name, settings).sorted(by: { $0.key < $1.key }) {
        let path = folder.appending(file)
        try replaceFile(path, text)
        written.append(path.string)
      }
      StandardOutput.write(common.json ? json(written) : written.map { $0 + "\n" }.joined())
    }
  }
}

/// Writes a file so that readers see the old one or the new one, and its folder where there is none.
func replaceFile(_ file: FilePath, _ text: String) throws {
  do {
    try makeFolder(file.removingLastComponent())
    try writeAtomically(Array(text.utf8), to: file)
  } catch let reason as Errno { throw UnwritableFile(file: file, reason: reason) }
}

/// A file that the user named and that cannot be written.
private struct UnwritableFile: Error, CustomStringConvertible {
  var file: FilePath
  var reason: Errno
  var description: String { "cannot write '\(file)': \(reason)" }
}

/// This program's file.
private func ownProgram() -> FilePath {
  let link = "/proc/self/exe"
  return FilePath((try? FileManager.default.destinationOfSymbolicLink(atPath: link)) ?? link)
}
