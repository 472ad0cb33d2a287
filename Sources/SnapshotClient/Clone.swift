internal import Content
internal import Glibc
public import Model
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

/// A disk had to share blocks with the image, and cannot.
public struct NoReflink: Error, Sendable, Equatable, CustomStringConvertible {
  public var disk: FilePath
  public var description: String {
    "cannot make '\(disk)' by a reflink: its file system shares no blocks with the image's;"
      + " 'copy' and 'overlay' need no such thing"
  }
}

extension SnapshotClient {
  /// Makes a disk for one machine, which may write to it; the image stays as it is.
  ///
  /// - Parameters:
  ///   - path: must not be there; its folder must.
  ///   - fallback: what to make where the file system cannot share blocks; `.reflink` throws `NoReflink`.
  ///   - files: what this machine alone has: put into its disk, which nobody mounts for it.
  ///   - now: the time of these files.
  /// - Returns: what was made.
  public func clone(
    _ lease: Lease, to path: FilePath, fallback: CloneKind = .copy, adding files: [InjectedFile],
    at now: Timestamp
  ) throws -> CloneKind {
    let disk = lease.release.disk
    let size = lease.release.manifest.disk.virtualSize
    let patch = try patch(
      of: lease.descriptor, size: size, adding: files, time: Int(now.seconds))
    if try reflink(lease, to: path) {
      try apply(patch, to: path)
      return .reflink
    }
    switch fallback {
    case .reflink: throw NoReflink(disk: path)
    case .copy:
      try copySparse(disk, to: path)
      try apply(patch, to: path)
    case .overlay:
      let clusters = try clusters(of: patch, over: lease.descriptor)
      try writeAtomically(
        qcow2(size: size, backing: disk.string, clusters: clusters), to: path,
        mode: [.ownerReadWrite])
    }
    return fallback
  }

  /// Makes a disk that differs in nothing yet.
  public func clone(
    _ lease: Lease, to path: FilePath, fallback: CloneKind = .copy
  ) throws -> CloneKind {
    try clone(lease, to: path, fallback: fallback, adding: [], at: Timestamp(seconds: 0))
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

/// Writes the pages of a patch into a raw disk.
private func apply(_ patch: DiskPatch, to path: FilePath) throws {
  guard !patch.pages.isEmpty else { return }
  let file = try FileDescriptor.open(path, .writeOnly, options: .closeOnExec)
  try file.closeAfter {
    for (page, bytes) in patch.pages.sorted(by: { $0.key < $1.key }) {
      try file.writeAll(toAbsoluteOffset: Int64(page * DiskPatch.pageSize), bytes)
    }
  }
}

/// The clusters of a qcow2 file that a patch touches, whole.
private func clusters(of patch: DiskPatch, over image: FileDescriptor) throws -> [Int: [UInt8]] {
  let pagesPerCluster = qcow2Cluster / DiskPatch.pageSize
  var clusters: [Int: [UInt8]] = [:]
  for (page, bytes) in patch.pages {
    let number = page / pagesPerCluster
    var cluster = clusters[number] ?? []
    if cluster.isEmpty {
      cluster = [UInt8](repeating: 0, count: qcow2Cluster)
      // Less than a cluster comes at the image's end.
      _ = try cluster.withUnsafeMutableBytes {
        try image.read(fromAbsoluteOffset: Int64(number * qcow2Cluster), into: $0)
      }
    }
    let start = page % pagesPerCluster * DiskPatch.pageSize
    cluster.replaceSubrange(start..<start + DiskPatch.pageSize, with: bytes)
    clusters[number] = cluster
  }
  return clusters
}

let qcow2Cluster = 65536

/// A qcow2 file over a raw one. Source: QEMU's `docs/interop/qcow2.txt`, version 3.
///
/// In clusters of 64 KiB: the header with the backing file's name; the table of reference counts and its
/// one block, which serves 32,768 clusters; the table of the first level, one entry for 512 MiB; the tables
/// of the second level that are needed; the clusters themselves.
///
/// - Parameter clusters: what differs from the backing file, by the number of the disk's cluster.
func qcow2(size: Int, backing: String, clusters: [Int: [UInt8]] = [:]) -> [UInt8] {
  let cluster = qcow2Cluster
  let perTable = cluster / 8
  let entries = (size + cluster * perTable - 1) / (cluster * perTable)
  let firstLevel = (entries * 8 + cluster - 1) / cluster
  let tables = Set(clusters.keys.map { $0 / perTable }).sorted()
  let numbers = clusters.keys.sorted()
  let firstTable = 3 + firstLevel
  let firstData = firstTable + tables.count
  precondition(firstData + numbers.count <= cluster / 2, "one block of reference counts serves all")

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

  var file = [UInt8](repeating: 0, count: (firstData + numbers.count) * cluster)
  func put(_ bytes: [UInt8], at offset: Int) {
    file.replaceSubrange(offset..<offset + bytes.count, with: bytes)
  }
  /// Where a cluster is; the highest bit says that nobody shares it.
  func place(_ number: Int) -> [UInt8] { [0x80] + bigEndian(number * cluster, 7) }
  put(header, at: 0)
  put(bigEndian(2 * cluster, 8), at: cluster)
  for index in 0..<firstData + numbers.count { put([0, 1], at: 2 * cluster + index * 2) }
  for (index, table) in tables.enumerated() {
    put(place(firstTable + index), at: 3 * cluster + table * 8)
  }
  for (index, number) in numbers.enumerated() {
    // Both lists are sorted and short.
    let table = tables.firstIndex(of: number / perTable) ?? 0
    put(place(firstData + index), at: (firstTable + table) * cluster + number % perTable * 8)
    put(clusters[number] ?? [], at: (firstData + index) * cluster)
  }
  return file
}

/// A number in so many bytes, the highest first.
private func bigEndian(_ number: Int, _ count: Int) -> [UInt8] {
  (0..<count).reversed().map { $0 < 8 ? UInt8(truncatingIfNeeded: number >> ($0 * 8)) : 0 }
}
