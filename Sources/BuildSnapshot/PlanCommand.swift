internal import ArgumentParser
internal import Pipeline

/// `build-snapshot plan RECIPE.toml`: what a build would do and why; touches nothing.
struct PlanCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Show what a build would do and why, without doing it.")

  @OptionGroup var recipe: RecipeOptions
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() async throws {
    let (source, folder) = (recipe.source, store.folder)
    try await running(common) { [common] _ in
      let plan = try await plan(source, store: folder)
      StandardOutput.write(common.json ? json(plan) : text(of: plan))
    }
  }
}

private func text(of plan: Plan) -> String {
  let width = plan.steps.map { $0.name.count + 2 }.max() ?? 0
  return plan.steps.map { step in
    padded(step.name, max(width, 10)) + padded(step.action.rawValue, 9) + step.reason + "\n"
  }.joined()
}
