internal import Foundation
internal import Imaging
internal import Model
internal import Support
internal import SystemPackage
internal import Testing

let canJudge = hasTool("e2fsck") && hasTool("debugfs")

/// Whether images can be mounted here, for the judge that sees everything.
let canMount: Bool =
  getuid() == 0 && hasTool("mount")
  // No free loop device, or no such tool: not here.
  && (try? runTool("losetup", ["-f"]).status) == 0

/// Has e2fsck judge an image.
func expectClean(_ image: FilePath, at location: SourceLocation = #_sourceLocation) throws {
  let result = try runTool("e2fsck", ["-fn", image.string])
  #expect(
    result.status == 0, Comment(rawValue: String((result.output + result.errors).prefix(4000))),
    sourceLocation: location)
}

/// What debugfs answers to a request.
func debugfs(_ image: FilePath, _ request: String) throws -> String {
  try runTool("debugfs", ["-R", request, image.string]).output
}

/// Calls `body` with the folder at which an image is mounted, read-only.
func withMount<Result>(_ image: FilePath, _ body: (FilePath) throws -> Result) throws -> Result {
  let folder = try TemporaryFolder()
  let mounted = try runTool("mount", ["-o", "loop,ro", image.string, folder.path.string])
  try #require(mounted.status == 0, "\(mounted.errors)")
  defer {
    // The folder cannot be removed while something is mounted there; the test fails then anyway.
    _ = try? runTool("umount", [folder.path.string])
  }
  return try body(folder.path)
}

/// Compares what the kernel finds in an image with the tree that it was made from.
func expectSame(_ image: FilePath, _ tree: Tree) throws {
  try withMount(image) { folder in
    let found = try listing(of: try scanTree(of: folder)).filter {
      !$0.hasPrefix("\"lost+found\"")
    }
    expectSame(found, try listing(of: tree))
  }
}

/// Compares two listings and shows the first difference.
func expectSame(_ found: [String], _ expected: [String]) {
  #expect(found.count == expected.count)
  for (found, expected) in zip(found, expected) where found != expected {
    Issue.record("is \(found)\nnot \(expected)")
    return
  }
}

/// One line for each name of a tree with all that is known of it, its content and its holes.
func listing(of tree: Tree) throws -> [String] {
  let names = Dictionary(grouping: tree.entries, by: \.node)
  return try tree.entries.map { entry in
    let node = tree.nodes[entry.node]
    var line = "\(text(entry.path)) \(String(node.mode, radix: 8)) \(node.uid):\(node.gid) "
    line += "\(node.modified.seconds).\(node.modified.nanoseconds) "
    switch node.kind {
    case .file(let file):
      let bytes = try content(of: file)
      var blocks = [Range<Int64>]()
      for range in file.data ?? (file.size == 0 ? [] : [0..<file.size]) {
        let rounded = (range.lowerBound & ~4095)..<((range.upperBound + 4095) & ~4095)
        if let last = blocks.last, last.upperBound >= rounded.lowerBound {
          blocks[blocks.count - 1] = last.lowerBound..<rounded.upperBound
        } else {
          blocks.append(rounded)
        }
      }
      line += "file \(file.size) \(bytes.hashValue) \(blocks)"
    case .symlink(let target): line += "symlink \(text(target))"
    default: line += "\(node.kind)"
    }
    for xattr in node.xattrs { line += " \(text(xattr.name))=\(text(xattr.value))" }
    if let others = names[entry.node], others.count > 1 {
      line += " also \(others.map { text($0.path) })"
    }
    return line
  }
}

private func content(of file: Tree.File) throws -> [UInt8] {
  switch file.origin {
  case .inline(let bytes): return bytes
  case .path(let path, let folder):
    let descriptor = (path + [0]).map { CChar(bitPattern: $0) }.withUnsafeBufferPointer {
      $0.baseAddress.map { openat(folder.descriptor, $0, O_RDONLY) } ?? -1
    }
    try #require(descriptor >= 0)
    return try FileDescriptor(rawValue: descriptor).closeAfter {
      try bytes(FileDescriptor(rawValue: descriptor), at: 0, count: Int(file.size))
    }
  case .part(let source, let offset):
    return try bytes(
      FileDescriptor(rawValue: source.descriptor), at: offset, count: Int(file.size))
  }
}

private func bytes(_ file: FileDescriptor, at offset: Int64, count: Int) throws -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: count)
  var done = 0
  while done < count {
    let got = try bytes.withUnsafeMutableBytes {
      try file.read(
        fromAbsoluteOffset: offset + Int64(done), into: .init(rebasing: $0[done...]))
    }
    try #require(got > 0)
    done += got
  }
  return bytes
}

private func text(_ bytes: [UInt8]) -> String {
  if bytes.allSatisfy({ (0x20..<0x7F).contains($0) }) {
    return "\"\(String(decoding: bytes.prefix(80), as: UTF8.self))\"\(bytes.count)"
  }
  return "<\(bytes.prefix(80).map { String($0, radix: 16) }.joined(separator: " "))>\(bytes.count)"
}
