internal import Foundation
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// A tmpfs of a few KiB, to see what a full disk does: mounted in a mount namespace of its own, so
/// that nothing has to be unmounted, and gone when the last reference goes.
///
/// Needs root and `unshare`; see `canMountSmallDisks`.
public final class SmallDisk: Sendable {
  private let holder: Process
  /// The empty folder on the small disk.
  public let path: FilePath

  /// Mounts a disk of so many bytes.
  public init(size: Int) throws {
    let folder = try TemporaryFolder()
    let script = """
      mount -t tmpfs -o size=\(size) tmpfs "$1" && mkdir "$1/disk" && echo ready && exec cat
      """
    let (input, output) = (Pipe(), Pipe())
    holder = Process()
    holder.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    holder.arguments = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh"]
    holder.arguments?.append(folder.path.string)
    holder.standardInput = input
    holder.standardOutput = output
    try holder.run()
    path = FilePath("/proc/\(holder.processIdentifier)/root\(folder.path)/disk")
    self.input = input
    self.folder = folder
    guard output.fileHandleForReading.readData(ofLength: 5) == Data("ready".utf8)
    else { throw Errno.notPermitted }
  }

  /// `cat` reads from it, and ends when it closes.
  private let input: Pipe
  private let folder: TemporaryFolder

  deinit {
    // The disk goes with its process in any case.
    try? input.fileHandleForWriting.close()
    holder.waitUntilExit()
  }
}

/// Whether `SmallDisk` works here: the gate of tests that need a full disk.
public let canMountSmallDisks = geteuid() == 0 && hasTool("unshare")
