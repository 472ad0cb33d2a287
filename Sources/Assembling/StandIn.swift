/// A program that packages call over and over while they are configured, and whose work can be done
/// once when all of them are.
///
/// While dpkg runs, a script is mounted over the program in the sandbox; it notes its arguments and
/// ends. Nothing of that is in the tree.
struct StandIn: Sendable {
  /// The arguments of one call.
  typealias Call = [String]

  let name: String
  /// Where the program is; one that is missing or a link is left alone.
  let program: String
  /// Why one run at the end gives the same.
  let reason: String
  /// Nothing but empty folders may be here, else the program is left alone.
  var mustBeEmpty: String?
  /// The commands that do the work of all calls, one after another.
  let commands: @Sendable ([Call]) -> [[String]]

  /// What is stood in for; commands of different entries run beside each other.
  static let all = [
    StandIn(
      name: "py3compile", program: "/usr/bin/py3compile",
      reason: """
        Compiles the modules of one package, and starts four interpreters to do so. A compiled module \
        depends on its source alone; nothing but the speed of programs depends on it.
        """,
      commands: { _ in [["/usr/bin/python3", "-", StandIns.calls(of: "py3compile")]] }),
    StandIn(
      name: "fc-cache", program: "/usr/bin/fc-cache",
      reason: "Reads every font of the system, whatever came since the last time.",
      commands: { calls in
        let options = calls.flatMap { $0 }
        guard calls.allSatisfy({ $0.contains("-s") }),
          options.allSatisfy({ ["-s", "-f", "-v"].contains($0) })
        else { return calls.map { ["/usr/bin/fc-cache"] + $0 } }
        return [["/usr/bin/fc-cache", "-s"] + (options.contains("-f") ? ["-f"] : [])]
      }),
    StandIn(
      name: "update-ca-certificates", program: "/usr/sbin/update-ca-certificates",
      reason:
        "Collects all certificates each time; the first run leaves out the hooks, which are none.",
      mustBeEmpty: "/etc/ca-certificates/update.d",
      commands: { calls in
        let program = ["/usr/sbin/update-ca-certificates"]
        let options = calls.flatMap { $0 }
        guard options.allSatisfy({ ["--fresh", "--hooksdir", ""].contains($0) })
        else { return calls.map { program + $0 } }
        return [program + (options.contains("--fresh") ? ["--fresh"] : [])]
      }),
  ]
}
