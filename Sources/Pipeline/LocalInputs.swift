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
        hashes["agent \(agent.name)"] = try hash(ofTree: source)
      }
      if let unit = agent.unit { hashes["unit of agent \(agent.name)"] = try hash(ofTree: unit) }
    }
    for unit in recipe.units {
      if let source = unit.source { hashes["unit \(unit.name)"] = try hash(ofTree: source) }
    }
    for file in recipe.files {
      if case .source(let source) = file.content {
        hashes["file \(file.path)"] = try hash(ofTree: source)
      }
    }
  }
}

private func hash(ofTree path: String) throws -> ContentHash {
  try TreeFacts(of: FilePath(path)).sha256
}
