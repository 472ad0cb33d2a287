internal import ArgumentParser
internal import Pipeline

/// `build-snapshot kernel RECIPE.toml FOLDER`: what boots its images.
struct KernelCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kernel",
    abstract: "Write the kernel and the initrd that boot a recipe's images.",
    discussion: """
      The kernel is the one of the recipe's lock, whose [boot] asked for it; a build has fetched it. The
      initrd loads virtio's modules and mounts the image, which needs neither kernel nor modules.
      """)

  @OptionGroup var recipe: RecipeOptions

  @Argument(help: "The folder; it is made where it is missing.")
  var folder: String

  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() async throws {
    let (source, store, folder) = (recipe.source, store.folder, absolute(folder))
    try await running(common) { [common] _ in
      let kernel = try writeKernel(of: source, store: store, into: folder)
      if common.json { return StandardOutput.write(json(kernel)) }
      if !common.quiet {
        StandardError.write("accelerator \(kernel.accelerator): \(kernel.reason)\n")
      }
      StandardOutput.write("\(kernel.kernel)\n\(kernel.initrd)\n")
    }
  }
}
