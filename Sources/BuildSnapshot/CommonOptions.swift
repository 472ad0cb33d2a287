internal import ArgumentParser
internal import Pipeline
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// What every command takes.
struct CommonOptions: ParsableArguments {
  @Flag(name: .long, help: "Write one JSON object to standard output.")
  var json = false

  @Option(name: .long, help: "How progress is shown: auto, live, plain or json.")
  var progress: ProgressStyle = .auto

  @Flag(name: .long, help: "Show errors only.")
  var quiet = false

  func makeProgress() -> Progress { Progress(style: progress, isQuiet: quiet) }
}

extension ProgressStyle: ExpressibleByArgument {}

/// Where images, blobs and work in progress lie.
struct StoreOptions: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp(
      "The store's folder (default: $BUILD_SNAPSHOT_STORE, else build-snapshot in the XDG data folder).",
      valueName: "dir"))
  var store: String?

  var folder: FilePath {
    if let store { return absolute(store) }
    if let store = variable("BUILD_SNAPSHOT_STORE") { return absolute(store) }
    if let data = variable("XDG_DATA_HOME") { return absolute(data).appending("build-snapshot") }
    return absolute(variable("HOME") ?? "/root").appending(".local/share/build-snapshot")
  }
}

/// How long sources are waited for.
struct SourceOptions: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp(
      "Give up on an answer of which nothing comes for so long.", valueName: "seconds"))
  var timeout = 30

  @Option(
    name: .long,
    help: ArgumentHelp("Ask a source that fails so many times again.", valueName: "count"))
  var retries = 4

  func validate() throws {
    if !(1...3600).contains(timeout) {
      throw ValidationError("--timeout takes a number of seconds from 1 to 3600")
    }
    if !(0...100).contains(retries) {
      throw ValidationError("--retries takes a number from 0 to 100")
    }
  }

  var patience: Patience { Patience(stallLimit: .seconds(timeout), retries: retries) }
}

/// The recipe and the values that the command line gives it.
struct RecipeOptions: ParsableArguments {
  @Argument(help: "The recipe, a TOML file.")
  var recipe: String

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Give a variable of the recipe another value.", valueName: "name=value"))
  var settings: [String] = []

  func validate() throws {
    for setting in settings where !setting.contains("=") || setting.hasPrefix("=") {
      throw ValidationError("--set takes name=value, not '\(setting)'")
    }
  }

  /// The recipe with its variables and this process's environment.
  var source: RecipeSource {
    var variables: [String: String] = [:]
    for setting in settings {
      let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      variables[String(parts[0])] = String(parts[1])
    }
    return RecipeSource(file: recipe, variables: variables, environment: environmentVariables())
  }
}

/// A path counted from the working folder, made absolute.
func absolute(_ path: String) -> FilePath {
  let path = FilePath(path)
  if path.isAbsolute { return path.lexicallyNormalized() }
  var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
  guard getcwd(&buffer, buffer.count) != nil else { return path }
  let end = buffer.firstIndex(of: 0) ?? buffer.endIndex
  let folder = String(decoding: buffer[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  return FilePath(folder).pushing(path).lexicallyNormalized()
}

/// An environment variable that is set and not empty.
private func variable(_ name: String) -> String? {
  guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else { return nil }
  return value
}
