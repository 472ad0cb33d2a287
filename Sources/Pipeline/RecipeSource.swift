public import Model
internal import Reading
internal import SystemPackage

/// A recipe's file and what the command line and the environment give it.
public struct RecipeSource: Sendable {
  public var file: String
  /// Values of `--set`.
  public var variables: [String: String]
  public var environment: [String: String]

  public init(file: String, variables: [String: String], environment: [String: String]) {
    self.file = file
    self.variables = variables
    self.environment = environment
  }

  /// The recipe, checked. Throws `FaultyRecipe` with all its faults.
  public func read() throws(FaultyRecipe) -> Recipe {
    try readRecipe(at: file, variables: variables, environment: environment)
  }

  /// The lock's file: `golden.lock` beside `golden.toml`.
  var lockFile: FilePath {
    let recipe = FilePath(file)
    let name = recipe.stem ?? "recipe"
    return recipe.removingLastComponent().appending(name + ".lock")
  }
}
