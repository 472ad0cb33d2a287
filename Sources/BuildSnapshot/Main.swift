internal import ArgumentParser

@main
struct BuildSnapshot: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "build-snapshot",
    abstract: "Builds golden ext4 images for fleets of microVMs from declarative recipes.",
    discussion: """
      Standard output carries the result: the path of the image, or one JSON object with --json.
      Progress and messages go to standard error.

      Exit status: 0 done; 1 the build or a check failed; 64 wrong usage; 65 faulty recipe or lock;
      69 a source cannot be reached, try again later; 70 a fault of ours; 74 published, but perhaps not
      yet safe on the disk; 75 another build holds the lock; 130 interrupted.
      """,
    version: programVersion,
    subcommands: [
      BuildCommand.self, LockCommand.self, PlanCommand.self, StatusCommand.self, ImageCommand.self,
      VerifyCommand.self, KernelCommand.self,
      ListCommand.self,
      ShowCommand.self, DiffCommand.self, RollbackCommand.self, PinCommand.self,
      UnpinCommand.self, QuarantineCommand.self, ReleaseCommand.self, GcCommand.self,
      DoctorCommand.self, KeygenCommand.self, InstallCommand.self,
    ],
    defaultSubcommand: BuildCommand.self)

  static func main() async {
    await main(withBareUpdateSpelledOut(Array(CommandLine.arguments.dropFirst())))
  }
}

/// The program's version, as manifests record it.
let programVersion = "0.1.0"
