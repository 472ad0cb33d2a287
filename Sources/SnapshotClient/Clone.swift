internal import Content
internal import Glibc
public import Publishing
public import SystemPackage

/// How a machine's own disk shares blocks with the image.
public enum CloneKind: String, Sendable, Codable, CaseIterable {
  /// The file system shares blocks between both files: made in no time, a raw disk.
  case reflink
  /// A raw disk of its own; holes stay holes.
  case copy
  /// A qcow2 file that holds what differs and reads all else from the image: QEMU only.
  case overlay
}

extension SnapshotClient {
  /// Makes a disk for one machine, which may write to it; the image stays as it is.
  ///
  /// - Parameters:
  ///   - path: must not be there; its folder must.
  ///   - fallback: what to make where the file system cannot share blocks; `.reflink` fails there.
  /// - Returns: what was made.
  public func clone(
    _ lease: Lease, to path: FilePath, fallback: CloneKind = .copy
  ) throws -> CloneKind {
    if try reflink(lease, to: path) { return .reflink }
    switch fallback {
    case .reflink: throw Errno.notSupported
    case .copy: try copySparse(lease.release.disk, to: path)
    case .overlay:
      let header = qcow2Header(
        size: lease.release.manifest.disk.virtualSize, backing: lease.release.disk.string)
      try writeAtomically(header, to: path, mode: [.ownerReadWrite])
    }
    return fallback
  }

  private func reflink(_ lease: Lease, to path: FilePath) throws -> Bool {
    let file = open(path.string, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw Errno(rawValue: errno) }
    defer { close(file) }
    let cloneRequest: UInt = 0x4004_9409  // FICLONE of linux/fs.h
    if ioctl(file, cloneRequest, lease.descriptor.rawValue) == 0 { return true }
    unlink(path.string)
    return false
  }
}

/// An empty qcow2 file over a raw one. Source: QEMU's `docs/interop/qcow2.txt`, version 3.
///
/// Four clusters of 64 KiB: the header with the backing file's name, the table of reference counts, its
/// one block, and the table of the first level (one entry for 512 MiB).
func qcow2Header(size: Int, backing: String) -> [UInt8] {
  let cluster = 65536
  let entries = (size + (512 << 20) - 1) / (512 << 20)
  let tableClusters = (entries * 8 + cluster - 1) / cluster
  let name = Array(backing.utf8)
  let extensions =
    bigEndian(0xE279_2ACA, 4) + bigEndian(3, 4) + Array("raw".utf8) + [0, 0, 0, 0, 0]
    + bigEndian(0, 8)
  var header = Array("QFI".utf8) + [0xFB] + bigEndian(3, 4)
  header += bigEndian(104 + extensions.count, 8) + bigEndian(name.count, 4)
  header += bigEndian(16, 4) + bigEndian(size, 8) + bigEndian(0, 4)
  header += bigEndian(entries, 4) + bigEndian(3 * cluster, 8)
  header += bigEndian(cluster, 8) + bigEndian(1, 4) + bigEndian(0, 4) + bigEndian(0, 8)
  // No features; reference counts of 16 bits; the header's length.
  header += bigEndian(0, 24) + bigEndian(4, 4) + bigEndian(104, 4) + extensions + name
  var file = [UInt8](repeating: 0, count: (3 + tableClusters) * cluster)
  file.replaceSubrange(0..<header.count, with: header)
  file.replaceSubrange(cluster..<cluster + 8, with: bigEndian(2 * cluster, 8))
  for index in 0..<3 + tableClusters {
    file.replaceSubrange(
      2 * cluster + index * 2..<2 * cluster + index * 2 + 2, with: bigEndian(1, 2))
  }
  return file
}

/// A number in so many bytes, the highest first.
private func bigEndian(_ number: Int, _ count: Int) -> [UInt8] {
  (0..<count).reversed().map { $0 < 8 ? UInt8(truncatingIfNeeded: number >> ($0 * 8)) : 0 }
}
