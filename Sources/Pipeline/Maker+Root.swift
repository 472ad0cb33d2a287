internal import Assembling
internal import Isolation
internal import Layering
internal import Model
internal import SystemPackage

extension Maker {
  /// Fills the root, stage by stage: packages, then the recipe's own contents, without traces of the
  /// build. What an earlier build has made comes from the store.
  func assemble(_ stack: RootStack) async throws {
    var forecast = StageForecast(
      in: request.store, history: StageHistory.read(of: inputs.recipe.image.name, in: request.store)
    )
    let stages = inputs.stages()
    let supply = DebSupply(blobs, jobs: request.jobs ?? processors)
    defer { supply.close() }
    for (place, planned) in stages.enumerated() {
      try Task.checkCancellation()
      let name = planned.stage.name
      let outcome = try await stack.add(planned.stage) { isDamaged in
        events(.stage(name, reason: forecast.cause(of: planned.stage, isDamaged: isDamaged)))
      } build: {
        // The stages above this one will be built, too.
        supply.expect(stages[(place + 1)...].compactMap(\.packages))
        try await build(planned.work, in: stack.root, supply)
        _ = try removeTraces(of: stack.root, epoch: inputs.lock.epoch)
      } settle: { tree in
        _ = try clampTimes(in: tree, to: inputs.lock.epoch)
      }
      events(outcome == .reused ? .stage(name, reason: nil) : .stageEnded(name))
    }
    try stack.show()
  }

  /// Notes what the stages were made of, and waits for their layers. The image is safe by now, so what
  /// goes wrong here is told and no more.
  func keep(_ stack: RootStack, _ memory: BuildMemory) {
    do {
      try StageHistory(inputs.stages().map(\.stage))
        .write(of: inputs.recipe.image.name, in: request.store)
      try stack.settleLayers()
      // Of a root that is no stack of layers nothing stays that could be known.
      if request.usesCache, !stack.layers.isEmpty {
        try memory.write(of: inputs.recipe.image.name, in: request.store)
      }
    } catch { events(.note("the layers of this build may not serve the next one: \(error)")) }
  }

  private func build(
    _ work: PlannedStage.Work, in root: FilePath, _ supply: DebSupply
  ) async throws {
    let recipe = inputs.recipe
    switch work {
    case .packages(let packages):
      // No name of the image: what is below is the same for many images.
      let sandbox = Sandbox(root: root)
      let options = InstallOptions(
        manual: nil, epoch: inputs.lock.epoch, jobs: request.jobs ?? processors)
      try await installPackages(
        packages, from: supply, in: sandbox, options: options, events: events
      ) {
        try addUsers(recipe.users, to: root, epoch: inputs.lock.epoch)
      }
      // Before the recipe's own files come: these may replace what packages brought.
      let findings = try packageFindings(in: sandbox, readsFiles: false)
      guard findings.isEmpty else { throw FaultyPackages(findings: findings) }
    case .part(let part):
      try customise(
        recipe, inputs.lock, parts: [part], from: blobs,
        in: Sandbox(root: root, hostname: recipe.image.hostname), buildID: inputs.lockHash.hex,
        jobs: request.jobs ?? processors, events: events)
    }
  }
}

/// dpkg or apt finds fault with the packages of a finished root.
struct FaultyPackages: Error, CustomStringConvertible {
  var findings: [String]
  var description: String {
    "the packages of the root are not consistent:\n"
      + findings.map { "  \($0)" }.joined(separator: "\n")
  }
}
