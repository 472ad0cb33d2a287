internal import Assembling
internal import Isolation
internal import Model

extension Maker {
  /// Fills the sandbox's root: packages, then the recipe's own contents, without traces of the build.
  func assemble(in sandbox: Sandbox) async throws {
    let recipe = inputs.recipe
    let manual = Set(
      recipe.packages.install.map { String($0.value.prefix { $0 != "=" && $0 != ":" }) })
    let jobs = request.jobs ?? processors
    try await installPackages(
      inputs.lock.packages, from: blobs, in: sandbox,
      options: InstallOptions(manual: manual, epoch: inputs.lock.epoch, jobs: jobs), events: events
    ) {
      try addUsers(recipe.users, to: sandbox.root, epoch: inputs.lock.epoch)
    }
    try Task.checkCancellation()
    // Before the recipe's own files come: these may replace what packages brought.
    let findings = try packageFindings(in: sandbox, readsFiles: false)
    guard findings.isEmpty else { throw FaultyPackages(findings: findings) }
    try customise(
      recipe, inputs.lock, from: blobs, in: sandbox, buildID: inputs.lockHash.hex, events: events)
    try Task.checkCancellation()
    _ = try normalise(sandbox.root, epoch: inputs.lock.epoch, events: events)
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
