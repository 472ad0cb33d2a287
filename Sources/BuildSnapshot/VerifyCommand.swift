internal import ArgumentParser
internal import Model
internal import Pipeline
internal import SystemPackage
internal import Verifying

/// `build-snapshot verify NAME[@VERSION]|FILE`: the checks, on a finished image.
struct VerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Judge a published or a loose image, also one that others made.",
    discussion: """
      The image is read, never mounted or written to; no root is needed. What could not be judged is
      listed as skipped, with the reason. Exit status 1: a check failed.
      """)

  @Argument(help: "NAME, NAME@VERSION, or the path of an image file.")
  var image: String

  @Option(
    name: .long,
    help: "The recipe that says what the image should be, and how it is booted.")
  var recipe: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Give a variable of the recipe another value.", valueName: "name=value"))
  var settings: [String] = []

  @Option(
    name: .long,
    help: ArgumentHelp("Leave out a check; may be given several times.", valueName: "name"))
  var skipCheck: [String] = []

  @Flag(name: .long, inversion: .prefixedNo, help: "Boot the image as the recipe's [boot] says.")
  var boot = true

  @Option(name: .long, help: "Threads (default: the processors).")
  var jobs: Int?

  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() async throws {
    let request = VerifyRequest(
      target: try target(), store: store.folder, recipe: source, skippedChecks: Set(skipCheck),
      boots: boot, jobs: jobs)
    try await running(common) { [common] progress in
      let result = try await verify(request, events: progress.sink)
      progress.close()
      StandardOutput.write(common.json ? json(result.report) : result.report.text)
      if !common.quiet {
        StandardError.write("evidence of \(result.image) is in '\(result.evidence)'\n")
      }
      if result.report.hasFailed {
        throw FaultyImage(image: result.image, checks: result.report.failures.map(\.name))
      }
    }
  }

  /// A file that is there, or what has a '/' in it, is a file; all else names an image.
  private func target() throws -> VerifyRequest.Target {
    let path = absolute(image)
    if image.contains("/") || image.hasSuffix(".ext4") { return .file(path) }
    guard let reference = Reference(argument: image) else {
      throw ValidationError("'\(image)' is neither NAME, NAME@VERSION nor a path")
    }
    return .release(name: reference.image, version: reference.version)
  }

  private var source: RecipeSource? {
    recipe.map { file in
      var variables: [String: String] = [:]
      for setting in settings {
        let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        variables[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
      }
      return RecipeSource(file: file, variables: variables, environment: environmentVariables())
    }
  }
}

/// An image that checks found fault with.
struct FaultyImage: Error, CustomStringConvertible {
  var image: FilePath
  var checks: [String]
  var description: String { "'\(image)' failed: \(checks.joined(separator: ", "))" }
}
