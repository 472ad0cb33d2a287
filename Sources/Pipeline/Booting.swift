internal import Content
internal import Model
internal import SystemPackage
internal import Verifying

/// A recipe wants its image booted, and this machine has no QEMU.
struct MissingBootProgram: Error, CustomStringConvertible {
  var program: String
  static let wayOut = "'--skip-check boot' makes the image without having booted it"

  var description: String {
    "[boot] wants the image booted, and there is no '\(program)' here; install it (on Debian and Ubuntu "
      + "'apt-get install qemu-system-x86 qemu-utils'), or: \(Self.wayOut)"
  }

  /// Says so before the work begins.
  static func check(_ request: BuildRequest, _ recipe: Recipe) throws {
    guard recipe.boot != nil, !request.skippedChecks.contains("boot"),
      let program = missingBootProgram()
    else { return }
    throw MissingBootProgram(program: program)
  }
}

/// What stands for a boot that was not to be, or that could not be where it had to.
func unbooted(_ outcome: Manifest.Check.Result, _ reason: String) -> [CheckResult] {
  var result = CheckResult(name: "boot", phase: .vm, outcome: outcome, seconds: 0)
  if outcome == .failed {
    result.findings = [
      Finding(
        check: "boot", "the image cannot be booted here: \(reason)", hint: MissingBootProgram.wayOut
      )
    ]
  } else {
    result.remark = reason
  }
  return [result]
}

/// The file that keeps whether KVM is of use here.
func kvmAnswer(in store: FilePath) -> FilePath { store.appending("kvm-answer") }

/// Boots an image as its recipe says.
func bootResults(
  of disk: FilePath, _ recipe: Recipe, _ lock: Lock, from blobs: BlobStore, store: FilePath,
  evidence: FilePath, skipping: Set<String>, events: @escaping EventSink,
  onResult: (CheckResult) -> Void = { _ in }
) async throws -> [CheckResult] {
  guard let boot = recipe.boot else { return [] }
  let work = try WorkFolder(in: store)
  defer {
    // What cannot be removed now is swept by the next build.
    try? work.remove()
  }
  do {
    if let program = missingBootProgram() { throw NotJudged("there is no '\(program)' here") }
    let media = try bootMedia(of: lock, for: boot, from: blobs, into: work.path.appending("boot"))
    let (acceleration, remark) = probeAcceleration(
      kernel: media.kernel, memory: kvmAnswer(in: store))
    events(
      .note(
        "booting the image: \(remark)\(acceleration == .kvm ? "" : "; the processor is emulated")"))
    return try await BootCheck(
      disk: disk, recipe: recipe, boot: boot, media: media, acceleration: acceleration,
      evidence: evidence, scratch: work.path, skipping: skipping
    ).results(onResult: onResult)
  } catch let reason as NotJudged {
    return [
      CheckResult(name: "boot", phase: .vm, outcome: .skipped, seconds: 0, remark: reason.reason)
    ]
  }
}
