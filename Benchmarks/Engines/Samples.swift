import Content
import Foundation
import SystemPackage

/// Bytes that compress about as programs do: half noise, half zeros; the same on every run.
func sample(of size: Int) -> [UInt8] {
  var state: UInt64 = 0x9E37_79B9_7F4A_7C15
  var bytes = [UInt8](repeating: 0, count: size)
  for start in stride(from: 0, to: size - 7, by: 8) where start & 4095 < 2048 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    for place in 0..<8 { bytes[start + place] = UInt8(truncatingIfNeeded: state >> (8 * place)) }
  }
  return bytes
}

/// Trees and tars in the temporary folder, for as long as a body runs.
struct Samples: Sendable {
  static let shared = Samples()

  func withTree(files: Int, size: Int, _ body: (FilePath) throws -> Void) throws {
    try withFolder { folder in
      let tree = folder.appending("tree")
      try fill(tree, files: files, size: size)
      try body(tree)
    }
  }

  /// A tar as GNU tar and its compressors make it.
  func withTar(_ compression: String, _ body: (FilePath) throws -> Void) throws {
    try withFolder { folder in
      try fill(folder.appending("tree"), files: 1_000, size: 64 << 10)
      let tar = folder.appending("sample.tar")
      let options = compression == "none" ? [] : ["--\(compression)"]
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = ["tar", "-C", folder.string] + options + ["-cf", tar.string, "tree"]
      try process.run()
      process.waitUntilExit()
      try body(tar)
    }
  }

  private func fill(_ tree: FilePath, files: Int, size: Int) throws {
    let content = Data(sample(of: max(size, 8)).prefix(size))
    for number in 0..<files {
      let folder = tree.appending("\(number / 100)")
      if number.isMultiple(of: 100) {
        try FileManager.default.createDirectory(
          atPath: folder.string, withIntermediateDirectories: true)
      }
      try content.write(to: URL(fileURLWithPath: folder.appending("\(number % 100)").string))
    }
  }

  private func withFolder(_ body: (FilePath) throws -> Void) throws {
    let folder = FilePath(NSTemporaryDirectory()).appending("engines-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
      atPath: folder.string, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder.string) }  // only litter stays
    try body(folder)
  }
}
