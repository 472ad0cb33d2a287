public import Content
public import Isolation
public import Model
internal import SystemPackage

/// A part of what a recipe puts into a root beside its packages.
public enum CustomisePart: Sendable, Equatable {
  /// The system's settings, users' homes and groups.
  case settings
  case archive(Recipe.Archive)
  case wheel(Recipe.Wheel)
  /// What makes the browser of an archive one that all programs find.
  case browser(Recipe.Chromium)
  case tool(Recipe.NPM.Tool)
  /// Files, the tools' environment, units and runs.
  case content
  /// Agents, and the build's id in os-release.
  case agents

  /// All parts of a recipe in their order: of each kind in the order of the recipe, so that later
  /// tables win.
  public static func all(of recipe: Recipe) -> [CustomisePart] {
    [.settings] + recipe.archives.map(Self.archive) + recipe.wheels.map(Self.wheel)
      + [recipe.chromium].compactMap(\.self).filter { $0.source != .apt }.map(Self.browser)
      + (recipe.npm?.tools ?? []).map(Self.tool) + [.content, .agents]
  }
}

/// Puts parts of a recipe, all but its packages, into a root where these are configured.
///
/// - Parameters:
///   - parts: those to put in; nil: all.
///   - store: holds archives, wheels and tarballs; a damaged one is removed from it.
///   - sandbox: its `root` is the folder that is filled; `[[run]]` commands run in it.
///   - buildID: what `BUILD_ID` in os-release becomes: 64 hexadecimal digits from the lock.
///   - jobs: how many packages of npm are unpacked at once.
/// - Throws: `FaultyRecipe`, `CustomiseFailure`, `RootFailure`, `BlobFailure`, `ArchiveFailure`,
///   `IsolationFailure`, `CancellationError`.
public func customise(
  _ recipe: Recipe, _ lock: Lock, parts: [CustomisePart]? = nil, from store: BlobStore,
  in sandbox: Sandbox, buildID: String, jobs: Int, events: @escaping EventSink
) throws {
  let root = try RootFolder(sandbox.root)
  let customising = Customising(
    recipe: recipe, lock: lock, store: store, sandbox: sandbox, buildID: buildID, root: root,
    jobs: jobs, events: events)
  let steps = try (parts ?? CustomisePart.all(of: recipe)).flatMap(customising.steps)
  events(.began(.customise, total: steps.count, unit: .items))
  for (index, step) in steps.enumerated() {
    try Task.checkCancellation()
    events(.advanced(.customise, done: index, subject: step.subject))
    try step.body()
  }
  events(.advanced(.customise, done: steps.count, subject: ""))
  events(.ended(.customise))
}

/// What a root is customised with.
private struct Customising {
  let recipe: Recipe
  let lock: Lock
  let store: BlobStore
  let sandbox: Sandbox
  let buildID: String
  let root: RootFolder
  let jobs: Int
  let events: EventSink

  struct Step {
    var subject: String
    var body: () throws -> Void
  }

  func steps(of part: CustomisePart) throws -> [Step] {
    switch part {
    case .settings: return settings
    case .archive(let archive):
      let pin = try pin(of: archive)
      return [
        Step(subject: "archive \(archive.name)") {
          try ArchiveInstaller(root: root, store: store).install(archive, pin)
        }
      ]
    case .wheel(let wheel):
      let pin = try pin(of: wheel)
      return [
        Step(subject: "wheel \(pin.name)") {
          try WheelInstaller(root: root, store: store).install(wheel, pin)
        }
      ]
    case .browser(let browser):
      return [
        Step(subject: "chromium") {
          try ChromiumInstaller(root: root, base: recipe.base).install(browser)
        }
      ]
    case .tool(let tool):
      guard let npm = recipe.npm else { return [] }
      let pin = try pin(of: tool)
      return [
        Step(subject: "npm \(pin.package) \(pin.version)") {
          try NPMInstaller(root: root, store: store, jobs: jobs).install(pin, npm)
          try NPMScripts(root: root, sandbox: sandbox, epoch: lock.epoch, events: events)
            .run(pin, npm)
        }
      ]
    case .content: return content
    case .agents: return agents
    }
  }

  private var systemSettings: SystemSettings {
    SystemSettings(root: root, sandbox: sandbox, image: recipe.image)
  }

  private var settings: [Step] {
    let manual = Set(
      recipe.packages.install.map { String($0.value.prefix { $0 != "=" && $0 != ":" }) })
    return [
      Step(subject: "settings") {
        if !lock.packages.isEmpty {
          try writeExtendedStates(of: lock.packages, manual: manual, in: root)
        }
        try systemSettings.apply()
      },
      Step(subject: "users") { try settle(recipe.users, in: root) },
    ]
  }

  private var content: [Step] {
    var steps: [Step] = []
    for file in recipe.files {
      steps.append(
        Step(subject: "file \(file.path)") {
          try FileInstaller(root: root, accounts: Accounts(in: root)).install(file)
        })
    }
    // After the files: what the recipe itself puts into /etc/environment stays.
    let variables = recipe.environmentOfTools
    if !variables.isEmpty {
      steps.append(
        Step(subject: "environment of tools") { try installEnvironment(variables, in: root) })
    }
    steps.append(Step(subject: "units") { try UnitInstaller(root: root).install(recipe.units) })
    for run in recipe.runs {
      steps.append(
        Step(subject: "run \(run.name)") {
          try RunInstaller(root: root, sandbox: sandbox, epoch: lock.epoch, events: events).run(run)
        })
    }
    return steps
  }

  private var agents: [Step] {
    recipe.agents.map { agent in
      Step(subject: "agent \(agent.name)") {
        try AgentInstaller(root: root, accounts: Accounts(in: root)).install(agent)
      }
    } + [Step(subject: "build id") { try systemSettings.nameBuild(buildID) }]
  }

  private func pin(of archive: Recipe.Archive) throws(FaultyRecipe) -> Lock.Archive {
    guard let pin = lock.archives.first(where: { $0.name == archive.name }) else {
      throw unlocked("archive", archive.name, archive.position)
    }
    return pin
  }

  private func pin(of wheel: Recipe.Wheel) throws(FaultyRecipe) -> Lock.Wheel {
    let name = wheel.package.prefix { $0 != "=" }
    guard let pin = lock.wheels.first(where: { folded($0.name) == folded(name) }) else {
      throw unlocked("wheel", String(name), wheel.position)
    }
    return pin
  }

  private func pin(of tool: Recipe.NPM.Tool) throws(FaultyRecipe) -> Lock.NPMProject {
    guard let pin = lock.npm.first(where: { $0.package == tool.package }) else {
      throw unlocked("npm package", tool.package, tool.position)
    }
    return pin
  }

  private func unlocked(
    _ what: String, _ name: String, _ position: SourcePosition
  ) -> FaultyRecipe {
    FaultyRecipe(
      at: position, "\(what) '\(name)' is not in the lock", hint: "run 'build-snapshot lock'")
  }
}

/// A Python package's name as indices compare it: `-`, `_` and `.` are one, and so is case.
private func folded(_ name: some StringProtocol) -> String {
  String(name.filter { !$0.isWhitespace }).lowercased().split(whereSeparator: { "-_.".contains($0) }
  ).joined(separator: "-")
}
