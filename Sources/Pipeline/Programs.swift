internal import Compiling
internal import Model
internal import SystemPackage

/// The programs of a recipe's `product:` agents, by the agents' names; what is not compiled yet is.
func programs(of recipe: Recipe, _ compiler: Compiler) async throws -> [String: CompiledProgram] {
  var programs: [String: CompiledProgram] = [:]
  for agent in recipe.agents {
    programs[agent.name] = try await agent.asking { product, package in
      try await compiler.program(product, package: package)
    }
  }
  return programs
}

extension Recipe.Agent {
  /// Asks about the product that the agent is made of; nil when it is a file or folder.
  ///
  /// - Throws: `FaultyRecipe` where the package does not make that product.
  func asking<Answer>(
    _ question: (_ product: String, _ package: FilePath) async throws -> Answer?
  ) async throws -> Answer? {
    guard case .product(let product, let package) = source else { return nil }
    do {
      return try await question(product, FilePath(package))
    } catch let failure as CompilingFailure {
      switch failure {
      case .noProduct, .localDependency:
        throw FaultyRecipe([Diagnostic(at: position, failure.description)])
      default: throw failure
      }
    }
  }
}
