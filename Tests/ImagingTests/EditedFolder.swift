internal import Foundation
internal import Imaging
internal import Model
internal import Support
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// A folder of files that changes a little, again and again: the same seed, the same changes.
struct EditedFolder {
  let path: FilePath
  private var random: SplitMix64
  private var names: [String] = []

  init(at path: FilePath, seed: UInt64) throws {
    self.path = path
    random = SplitMix64(seed: seed)
    try FileManager.default.createDirectory(
      atPath: path.string, withIntermediateDirectories: true)
    for _ in 0..<60 { try add() }
  }

  /// Adds, changes, replaces and removes some files.
  mutating func edit() throws -> Tree {
    for _ in 0..<4 {
      let name = names[Int.random(in: 0..<names.count, using: &random)]
      switch Int.random(in: 0..<4, using: &random) {
      case 0: try add()
      case 1: try change(name)
      case 2: try write(name)
      default:
        unlink(path.appending(name).string)
        names.removeAll { $0 == name }
      }
    }
    return try scanTree(of: path)
  }

  private mutating func add() throws {
    let name = "\(UInt32.random(in: 0...UInt32.max, using: &random))"
    names.append(name)
    try write(name)
  }

  /// Makes a file anew: of a few bytes, or of some blocks, some of which are zeros.
  private mutating func write(_ name: String) throws {
    let count = [10, 5_000, 70_000, 400_000].randomElement(using: &random) ?? 0
    var bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    if count > 50_000 {
      bytes.replaceSubrange(8192..<40_960, with: repeatElement(0, count: 32_768))
    }
    try Data(bytes).write(to: URL(fileURLWithPath: path.appending(name).string))
  }

  /// Changes one byte in place, and puts the time back.
  private mutating func change(_ name: String) throws {
    let file = path.appending(name).string
    let time = try FileManager.default.attributesOfItem(atPath: file)[.modificationDate]
    let handle = try FileDescriptor.open(FilePath(file), .writeOnly)
    try handle.closeAfter {
      _ = try handle.writeAll(toAbsoluteOffset: 7, [UInt8.random(in: 0...255, using: &random)])
    }
    try FileManager.default.setAttributes([.modificationDate: time as Any], ofItemAtPath: file)
  }
}
