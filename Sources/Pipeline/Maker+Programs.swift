internal import Isolation
internal import Model
internal import Resolving
internal import Verifying

extension Maker {
  /// Refuses a root in which a program that the recipe declares is not what it should be.
  func checkPrograms(in sandbox: Sandbox) throws {
    let recipe = inputs.recipe
    var programs = recipe.declaredPrograms(inputs.lock)
    if let npm = recipe.npm, npm.tools.contains(where: { !$0.isNative }) {
      programs.append(
        DeclaredProgram(
          "node", origin: "which the tools of [npm] need",
          version: nodeVersion(of: recipe, packages: inputs.lock.packages), position: npm.position))
    }
    // Tools run as those who will use them, not as root, where the recipe has such a user.
    let user = recipe.users.first.map {
      SandboxUser(uid: UInt32($0.uid), gid: UInt32($0.gid), home: $0.home)
    }
    let check = try ProgramCheck(
      sandbox, architecture: recipe.base.architecture, user: user ?? .root,
      environment: recipe.environmentOfTools)
    let result = try check.run(programs, units: recipe.declaredUnits)
    for remark in result.remarks { events(.note(remark)) }
    guard result.faults.isEmpty else {
      throw FaultyPrograms(faults: result.faults.map(\.description))
    }
  }
}

/// Programs of a finished root are not what the recipe says.
struct FaultyPrograms: Error, CustomStringConvertible {
  var faults: [String]
  var description: String {
    "programs of the root are not what they should be:\n"
      + faults.map { "  \($0)" }.joined(separator: "\n")
  }
}
