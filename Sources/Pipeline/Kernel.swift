internal import Content
internal import Model
public import SystemPackage
internal import Verifying

/// What boots a recipe's images outside of the build.
public struct Kernel: Sendable, Encodable {
  public var kernel: String
  public var initrd: String
  /// QEMU's name of what runs machines here: `kvm` only where it runs this very kernel.
  public var accelerator: String
  /// Why that one.
  public var reason: String
}

/// Writes the kernel of a recipe's lock, and an initrd for machines in service, into a folder.
///
/// - Throws: `NotJudged` when there is no lock, or it names no kernel.
public func writeKernel(
  of source: RecipeSource, store: FilePath, into folder: FilePath
) throws -> Kernel {
  guard let lock = try readLock(source.lockFile) else {
    throw NotJudged(
      "there is no '\(source.lockFile)', which would name a kernel; build the recipe first")
  }
  guard let boot = try source.read().boot else {
    throw NotJudged("the recipe has no [boot], so that its lock names no kernel")
  }
  let use = try StoreCache(store: store).use()
  defer { use.release() }
  try makeFolder(folder)
  let media = try bootMedia(
    of: lock, for: boot, from: try BlobStore(store: store), into: folder)
  var initrd = media.initrd
  if initrd == nil {
    let file = folder.appending("initrd.img")
    try writeAtomically(media.initrdForService(), to: file)
    initrd = file
  }
  let (acceleration, reason) = probeAcceleration(
    kernel: media.kernel, memory: kvmAnswer(in: store))
  return Kernel(
    kernel: media.kernel.string, initrd: initrd?.string ?? "",
    accelerator: acceleration == .kvm ? "kvm" : "tcg", reason: reason)
}
