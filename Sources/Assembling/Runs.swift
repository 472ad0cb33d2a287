internal import Isolation
internal import Model
internal import SystemPackage

/// Runs the recipe's `[[run]]` tables in the root.
struct RunInstaller {
  let root: RootFolder
  let sandbox: Sandbox
  let epoch: Int
  let events: EventSink

  func run(_ run: Recipe.Run) throws {
    // Earlier runs may have added users.
    let user = try Accounts(in: root).sandboxUser(run.user, at: run.position)
    guard try root.status(of: FilePath(run.directory), followsLinks: true)?.kind == .folder else {
      throw FaultyRecipe(
        at: run.position, "the image has no folder '\(run.directory)' for run '\(run.name)'")
    }
    var environment = ["SOURCE_DATE_EPOCH": "\(epoch)", "USER": run.user, "LOGNAME": run.user]
    environment.merge(run.environment) { $1 }
    let command = SandboxCommand(
      run.command, environment: environment, user: user, folder: FilePath(run.directory),
      hasNetwork: run.hasNetwork)
    let result = try sandbox.run(command) { [events] in events(.output($0)) }
    guard result.isSuccess else {
      let lines = result.text.split(separator: "\n").suffix(20).map(String.init)
      throw CustomiseFailure.run(
        name: run.name, ending: result.ending.description, output: lines)
    }
  }
}
