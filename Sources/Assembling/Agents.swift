internal import Isolation
internal import Model
internal import SystemPackage

/// Puts the recipe's `[[agent]]` tables into the root, after all else.
struct AgentInstaller {
  let root: RootFolder
  let accounts: Accounts

  func install(_ agent: Recipe.Agent) throws {
    let owner = try accounts.owner(agent.owner, at: agent.position)
    let files = FileInstaller(root: root, accounts: accounts)
    guard case .path(let path) = agent.source else {
      throw FaultyRecipe(at: agent.position, "agent '\(agent.name)' has not been compiled")
    }
    let source = FilePath(path)
    var target = FilePath(agent.into)
    let isFile = (try? FileStatus(of: source))?.kind == .file  // what is missing, copying reports
    if isFile, agent.into.hasSuffix("/"), let name = source.lastComponent { target.append(name) }
    if isFile, try root.status(of: target, followsLinks: true)?.kind == .folder {
      throw FaultyRecipe(
        at: agent.position, "'\(agent.into)' is a folder in the image",
        hint: "end it with '/' to put agent '\(agent.name)' into it")
    }
    try files.copy(source, to: target, owner: owner)
    guard let unit = agent.unit, let name = FilePath(unit).lastComponent?.string else { return }
    try UnitInstaller(root: root).install([
      Recipe.Unit(
        name: name, source: unit, state: agent.isEnabled ? .enabled : .disabled,
        position: agent.position)
    ])
  }
}
