internal import Compiling
internal import Content
internal import Model
internal import Publishing
public import SystemPackage

/// How what is published stands to the working tree.
public struct ImageStatus: Sendable, Encodable {
  /// An agent of the recipe, beside the one that was published.
  public struct Agent: Sendable, Encodable {
    public enum State: String, Sendable, Encodable { case current, changed, missing }

    public var name: String
    public var state: State
    /// How long after the published build its source last changed, in seconds; nil where it did not, or
    /// where its files are older than the build, as in a fresh check-out.
    public var changedAfter: Int?
  }

  public var image: String
  /// Nil: nothing is published.
  public var version: String?
  /// In seconds since 1970.
  public var published: Int?
  public var agents: [Agent]

  /// Whether the published image has every agent as the working tree has it.
  public var isCurrent: Bool { version != nil && agents.allSatisfy { $0.state == .current } }
}

/// Compares the current release of a recipe's image with the agents of the working tree; changes nothing.
public func status(of source: RecipeSource, store: FilePath) async throws -> ImageStatus {
  let recipe = try source.read()
  let catalog = Catalog(store: store)
  var status = ImageStatus(image: recipe.image.name, agents: [])
  guard try catalog.pointer(recipe.image.name) != nil,
    let current = try catalog.overview(recipe.image.name).first(where: \.isCurrent)
  else { return status }
  status.version = current.release.version.description
  status.published = current.published?.seconds
  let compiler = Compiler(store: store, isReadOnly: true)
  for agent in recipe.agents {
    guard let published = current.release.manifest.agents.first(where: { $0.name == agent.name })
    else {
      status.agents.append(ImageStatus.Agent(name: agent.name, state: .missing))
      continue
    }
    let change = try await change(of: agent, since: published, compiler)
    let after = change.flatMap { change in current.published.map { change - $0.seconds } }
    status.agents.append(
      ImageStatus.Agent(
        name: agent.name, state: change == nil ? .current : .changed,
        changedAfter: after.flatMap { $0 > 0 ? $0 : nil }))
  }
  return status
}

/// When an agent's source last changed, in seconds since 1970; nil when it is what was published.
private func change(
  of agent: Recipe.Agent, since published: Manifest.Agent, _ compiler: Compiler
) async throws -> Int? {
  if case .path(let path) = agent.source {
    let facts = try TreeFacts(of: FilePath(path))
    return facts.sha256 == published.sha256 ? nil : facts.changed
  }
  return try await agent.asking { product, package in
    let facts = try await compiler.source(of: product, package: package)
    if facts.sha256 == published.source { return nil }
    // Another comment is another source, but the same program once it is compiled.
    let program = try await compiler.compiled(product, package: package)
    return program?.sha256 == published.sha256 ? nil : facts.changed
  }
}
