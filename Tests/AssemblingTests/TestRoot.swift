import Content
import Foundation
import Isolation
import Model
import Support
import SystemPackage

@testable import Assembling

let place = SourcePosition(file: "recipe.toml", line: 7, column: 1)

/// A small root, made by hand.
struct TestRoot {
  let temporary: TemporaryFolder
  let folder: RootFolder
  var path: FilePath { temporary.path }

  init() throws {
    temporary = try TemporaryFolder()
    folder = try RootFolder(temporary.path)
  }

  /// With the account files of a fresh base.
  static func withAccounts() throws -> TestRoot {
    let root = try TestRoot()
    try root.write(
      "/etc/passwd",
      "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n")
    try root.write("/etc/group", "root:x:0:\nvideo:x:44:\nwww-data:x:33:\nsudo:x:27:www-data\n")
    try root.write(
      "/etc/shadow", "root:*:19000:0:99999:7:::\nwww-data:*:19000:0:99999:7:::\n")
    try root.write("/etc/gshadow", "root:*::\nvideo:*::\nwww-data:*::\nsudo:*::www-data\n")
    try root.write("/bin/bash", "")
    return root
  }

  func write(_ path: FilePath, _ text: String) throws {
    try folder.makeFolders(path.removingLastComponent())
    try folder.write(Array(text.utf8), to: path)
  }

  func text(_ path: FilePath) throws -> String? {
    try folder.contents(of: path).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Every path with its kind, mode, owner and link, one a line.
  func listing(_ from: FilePath = "/") throws -> String {
    var lines: [String] = []
    func visit(_ path: FilePath) throws {
      for name in try folder.names(in: path) {
        let inner = path.appending(name)
        guard let status = try folder.status(of: inner) else { continue }
        let target = try folder.target(ofLink: inner).map { " -> \($0)" } ?? ""
        let mode = status.kind == .link ? "" : " " + String(status.mode, radix: 8)
        lines.append("\(inner) \(status.kind)\(mode) \(status.uid):\(status.gid)\(target)")
        if status.kind == .folder { try visit(inner) }
      }
    }
    try visit(from)
    return lines.joined(separator: "\n")
  }
}

/// One member of a tar file, as little as a header holds.
struct TarMember {
  var path: String
  /// `0` file, `1` hard link, `2` symbolic link, `3` character device, `5` folder.
  var kind: Character = "0"
  var text = ""
  var target = ""
  var mode = 0o644
}

/// A ustar file.
func tar(_ members: [TarMember]) -> [UInt8] {
  var bytes: [UInt8] = []
  for member in members {
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, at offset: Int) {
      for (index, byte) in text.utf8.enumerated() { header[offset + index] = byte }
    }
    func octal(_ number: Int, _ width: Int) -> String {
      let digits = String(number, radix: 8)
      return String(repeating: "0", count: width - digits.count) + digits
    }
    put(member.path, at: 0)
    put(octal(member.mode, 7), at: 100)
    put(octal(1000, 7), at: 108)
    put(octal(1000, 7), at: 116)
    put(octal(member.text.utf8.count, 11), at: 124)
    put(octal(1_700_000_000, 11), at: 136)
    put("        ", at: 148)
    put(String(member.kind), at: 156)
    put(member.target, at: 157)
    put("ustar\u{0}00", at: 257)
    put(octal(header.reduce(0) { $0 + Int($1) }, 6) + "\u{0}", at: 148)
    bytes += header + Array(member.text.utf8)
    bytes += [UInt8](repeating: 0, count: (512 - member.text.utf8.count % 512) % 512)
  }
  return bytes + [UInt8](repeating: 0, count: 1024)
}
