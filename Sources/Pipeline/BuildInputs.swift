internal import Compiling
internal import Content
internal import Model
internal import Resolving

/// Everything that decides an image's bytes.
struct BuildInputs: Sendable {
  var recipe: Recipe
  var lock: Lock
  /// What the lock's file holds.
  let lockText: String
  let lockHash: ContentHash
  var local: LocalInputs

  /// - Parameter programs: those of `product:` agents, by the agents' names.
  init(recipe: Recipe, lock: Lock, programs: [String: CompiledProgram]) throws {
    self.recipe = recipe
    for (index, agent) in recipe.agents.enumerated() {
      guard let program = programs[agent.name] else { continue }
      self.recipe.agents[index].source = .path(program.path.string)
    }
    self.lock = lock
    lockText = lock.text
    lockHash = ContentHash(of: lockText)
    local = try LocalInputs(of: recipe, programs: programs)
  }

  /// Grows when the program makes other images of the same inputs.
  private static let format = 2

  /// One hash over all of it: equal ids, equal images.
  var buildId: ContentHash {
    let lines =
      ["format \(Self.format)", "recipe \(recipe.digest)", "lock \(lockHash)"]
      + local.hashes.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
    return ContentHash(of: lines.joined(separator: "\n"))
  }

  /// Why an image of `manifest` is not an image of these inputs; nil when it is.
  func difference(from manifest: Manifest) -> String? {
    if manifest.inputs.buildId == buildId { return nil }
    if manifest.inputs.recipe.sha256 != recipe.digest { return "the recipe changed" }
    if manifest.inputs.lock.sha256 != lockHash { return "the lock changed" }
    for agent in manifest.agents where local.hashes["agent \(agent.name)"] != agent.sha256 {
      return "agent \(agent.name) changed"
    }
    return "a local file changed"
  }
}
