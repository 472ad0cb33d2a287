internal import ArgumentParser
internal import Pipeline

/// `build-snapshot image TREE|TAR|- OUT.ext4`: only the image writer.
struct ImageCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "image",
    abstract: "Write an ext4 image from a folder, a tar file or a tar on standard input.",
    discussion: "The same tree gives the same bytes, from a folder or from a tar of it.")

  @Argument(help: "A folder, a tar file (also compressed), or - for a tar on standard input.")
  var source: String

  @Argument(help: "The image to write; replaced when it exists.")
  var image: String

  @Option(name: .long, help: "The image's virtual size, such as 8GiB.")
  var size: ByteCount = ByteCount(value: 8 << 30)

  @Option(name: .long, help: "The volume label, at most 16 bytes.")
  var label = ""

  @Option(name: .long, help: "The file system's UUID (default: derived from the label).")
  var uuid: String?

  @Option(
    name: .long,
    help: "Seconds since 1970: later times become this, and the file system bears it.")
  var epoch: Int?

  @Option(name: .long, help: "The number of inodes (default: one for 16 KiB).")
  var inodes: Int?

  @Option(
    name: .long,
    help: "An older image to share unchanged blocks with, where the file system can; same bytes.")
  var base: String?

  @Option(name: .long, help: "Threads (default: the processors).")
  var jobs: Int?

  @Flag(name: .long, help: "Do not compute the image's SHA-256.")
  var noHash = false

  @OptionGroup var common: CommonOptions

  func run() async throws {
    let request = ImageRequest(
      source: source == "-" ? nil : absolute(source), image: absolute(image),
      base: base.map(absolute), size: size.value, label: label, uuid: uuid, epoch: epoch,
      inodes: inodes, jobs: jobs, isHashed: !noHash)
    try await running(common) { [common] progress in
      let made = try makeImage(request, events: progress.sink)
      progress.close()
      if !common.quiet, common.progress != .json {
        StandardError.write(
          "made \(request.image): \(bytes(request.size)), \(bytes(made.allocatedSize)) on disk, "
            + (made.sha256.map { "sha256 \($0), " } ?? "") + "in \(seconds(progress.elapsed))\n")
      }
      StandardOutput.write(common.json ? json(ImageReport(request, made)) : "\(request.image)\n")
    }
  }
}

/// A number of bytes on the command line: `8589934592`, `8GiB`, `512MiB`.
struct ByteCount: ExpressibleByArgument {
  var value: Int

  init(value: Int) { self.value = value }

  init?(argument: String) {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)]
    let unit = units.first { argument.hasSuffix($0.0) }
    guard let number = Int(argument.dropLast(unit == nil ? 0 : 3)), number > 0 else { return nil }
    let (product, isTooLarge) = number.multipliedReportingOverflow(by: 1 << (unit?.1 ?? 0))
    guard !isTooLarge else { return nil }
    value = product
  }

  var defaultValueDescription: String { bytes(value) }
}

/// What `--json` prints.
private struct ImageReport: Encodable {
  var path: String
  /// Nil, and left out, when it was not asked for.
  var sha256: String?
  var virtualSize: Int
  var allocatedSize: Int

  init(_ request: ImageRequest, _ image: WrittenImage) {
    path = request.image.string
    sha256 = image.sha256?.hex
    virtualSize = request.size
    allocatedSize = image.allocatedSize
  }
}
