internal import Foundation
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// A small file system of its own kind: mounted in a mount namespace of its own, so that nothing has to be
/// unmounted, and gone when the last reference goes.
///
/// Needs root and `unshare`; see `canMountSmallDisks` and `canMountReflinks`.
public final class SmallDisk: Sendable {
  public enum Kind: Sendable {
    /// A tmpfs of a few KiB, to see what a full disk does.
    case memory
    /// Btrfs on a loop device, 128 MiB or more: files can share blocks.
    case reflinks
  }
  private let holder: Process
  /// The empty folder on the small disk.
  public let path: FilePath

  /// Mounts a disk of so many bytes.
  public init(size: Int, _ kind: Kind = .memory) throws {
    let folder = try TemporaryFolder()
    let mount =
      switch kind {
      case .memory: "mount -t tmpfs -o size=\(size) tmpfs \"$1\""
      case .reflinks:
        """
        truncate -s \(size) "$1/image" && mkfs.btrfs -q "$1/image" >&2 \
          && mount -o loop "$1/image" "$1"
        """
      }
    let script = "{ \(mount); } 2>/dev/null && mkdir \"$1/disk\" && echo ready && exec cat"
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

/// Whether files can share blocks somewhere here: found out by trying, as kernels and containers differ.
public let canMountReflinks =
  canMountSmallDisks && hasTool("mkfs.btrfs") && (try? SmallDisk(size: 128 << 20, .reflinks)) != nil
