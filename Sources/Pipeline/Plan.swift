internal import Compiling
internal import Content
internal import Layering
internal import Model
internal import Publishing
internal import Resolving
public import SystemPackage

/// What a build would do, step by step, and why.
public struct Plan: Sendable, Encodable {
  public struct Step: Sendable, Encodable {
    public enum Action: String, Sendable, Encodable {
      case reused, resolved, fetched, compiled, rebuilt
    }

    public var name: String
    public var action: Action
    public var reason: String
  }

  public var image: String
  public var steps: [Step]
}

/// Plans a build of a recipe; reads the recipe, its lock and the store, changes nothing and asks no
/// network.
public func plan(_ source: RecipeSource, store: FilePath) async throws -> Plan {
  let recipe = try source.read()
  var steps: [Plan.Step] = []
  func add(_ name: String, _ action: Plan.Step.Action, _ reason: String) {
    steps.append(Plan.Step(name: name, action: action, reason: reason))
  }
  let catalog = Catalog(store: store)
  let current = try catalog.current(recipe.image.name)
  guard let lock = try readLock(source.lockFile) else {
    add("lock", .resolved, "there is no '\(source.lockFile)' yet")
    add("inputs", .fetched, "those that the store lacks, once they are known")
    add("image", .rebuilt, current == nil ? "nothing is published yet" : "the lock changed")
    return Plan(image: recipe.image.name, steps: steps)
  }
  guard lock.recipe == recipe.digest else {
    add("lock", .resolved, "the recipe changed; pins stay")
    add("inputs", .fetched, "those that the store lacks, once they are known")
    add("image", .rebuilt, "the recipe changed")
    return Plan(image: recipe.image.name, steps: steps)
  }
  add(
    "lock", .reused,
    "\(lock.packages.count) packages, \(lock.wheels.count) wheels, "
      + (lock.npm.isEmpty ? "" : "\(lock.npm.count) tools of npm, ")
      + "\(lock.archives.count) archives")

  let files = lock.files
  let missing = files.filter { !BlobStore.holds($0.sha256, in: store) }
  if missing.isEmpty {
    add("inputs", .reused, "all \(files.count) are in the store")
  } else {
    let bytes = missing.reduce(0) { $0 + $1.size }
    add(
      "inputs", .fetched, "\(missing.count) of \(files.count) are not in the store: \(bytes) bytes")
  }
  let (programs, missingPrograms) = try await knownPrograms(of: recipe, store: store)
  if !missingPrograms.isEmpty {
    add(
      "agents", .compiled,
      "these have other sources now: " + missingPrograms.joined(separator: ", "))
  } else if !programs.isEmpty {
    add("agents", .reused, "the store has programs of these sources")
  }
  let inputs = try BuildInputs(recipe: recipe, lock: lock, programs: programs)
  if let release = current, inputs.difference(from: release.manifest) == nil {
    add("image", .reused, "\(release.version) has these inputs")
    return Plan(image: recipe.image.name, steps: steps)
  }
  var forecast = StageForecast(
    in: store, history: StageHistory.read(of: recipe.image.name, in: store))
  for planned in inputs.stages() {
    let reason = forecast.reason(of: planned.stage)
    add(planned.stage.name, reason == nil ? .reused : .rebuilt, reason ?? "its inputs are the same")
  }
  switch current {
  case nil: add("image", .rebuilt, "nothing is published yet")
  case let release?:
    let reason = inputs.difference(from: release.manifest) ?? "its inputs changed"
    add("image", .rebuilt, "\(reason) since \(release.version)")
  }
  return Plan(image: recipe.image.name, steps: steps)
}

/// The programs of `product:` agents that were compiled before, and the names of those that were not.
private func knownPrograms(
  of recipe: Recipe, store: FilePath
) async throws -> (known: [String: CompiledProgram], missing: [String]) {
  let compiler = Compiler(store: store, isReadOnly: true)
  var known: [String: CompiledProgram] = [:]
  var missing: [String] = []
  for agent in recipe.agents {
    guard case .product = agent.source else { continue }
    known[agent.name] = try await agent.asking { product, package in
      try await compiler.compiled(product, package: package)
    }
    if known[agent.name] == nil { missing.append(agent.name) }
  }
  return (known, missing)
}
