internal import Compiling
internal import Content
internal import Model
internal import SystemPackage

/// The inputs of a recipe that lie on this machine, each with the hash of its content.
///
/// They are not in the lock, so that a changed agent needs no new one; the manifest records them.
struct LocalInputs: Sendable, Equatable {
  /// What the user knows the input by (`agent vm-browser-agent`) → its hash.
  var hashes: [String: ContentHash] = [:]
  /// What the user knows the input by → what is at each path of it.
  var paths: [String: [TreeFacts.Path]] = [:]
  /// The programs of agents that were compiled, by the agents' names.
  var programs: [String: CompiledProgram]

  /// Hashes every local source of a recipe.
  ///
  /// - Throws: `UnreadableInput` when a source cannot be read.
  init(of recipe: Recipe, programs: [String: CompiledProgram]) throws {
    self.programs = programs
    for agent in recipe.agents {
      if let program = programs[agent.name] {
        hashes["agent \(agent.name)"] = program.sha256
      } else if case .path(let source) = agent.source {
        try add("agent \(agent.name)", source)
      }
      if let unit = agent.unit { try add("unit of agent \(agent.name)", unit) }
    }
    for unit in recipe.units {
      if let source = unit.source { try add("unit \(unit.name)", source) }
    }
    for file in recipe.files {
      if case .source(let source) = file.content { try add("file \(file.path)", source) }
    }
  }

  private mutating func add(_ name: String, _ source: String) throws {
    let facts = try TreeFacts(of: FilePath(source))
    hashes[name] = facts.sha256
    paths[name] = facts.paths
  }
}
