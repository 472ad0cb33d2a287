internal import Content
public import Model
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// The inputs of a recipe that lie on this machine, each with the hash of its content.
///
/// They are not in the lock, so that a changed agent needs no new one; the manifest records them.
public struct LocalInputs: Sendable, Equatable {
  /// What the user knows the input by (`agent vm-browser-agent`) → its hash.
  public var hashes: [String: ContentHash]
  public init(hashes: [String: ContentHash]) { self.hashes = hashes }

  /// Hashes every local source of a recipe.
  ///
  /// - Throws: `Errno` wrapped as `UnreadableInput` when a source cannot be read.
  public init(of recipe: Recipe) throws {
    var hashes: [String: ContentHash] = [:]
    for agent in recipe.agents {
      hashes["agent \(agent.name)"] = try hash(ofTree: agent.source)
      if let unit = agent.unit { hashes["unit of agent \(agent.name)"] = try hash(ofTree: unit) }
    }
    for unit in recipe.units {
      if let source = unit.source { hashes["unit \(unit.name)"] = try hash(ofTree: source) }
    }
    for file in recipe.files {
      if case .source(let source) = file.content {
        hashes["file \(file.path)"] = try hash(ofTree: source)
      }
    }
    self.hashes = hashes
  }
}

/// A local source that could not be read.
public struct UnreadableInput: Error, Sendable, CustomStringConvertible {
  public var path: String
  public var reason: String
  public var description: String { "reading the source '\(path)': \(reason)" }
}

/// The hash of a file, or of a folder with all that is in it: paths, kinds, whether owners may
/// execute, link targets and contents; not owners, times or other permission bits, which differ
/// between check-outs.
private func hash(ofTree path: String) throws -> ContentHash {
  var lines: [String] = []
  try describe(FilePath(path), as: ".", into: &lines)
  return ContentHash(of: lines.joined(separator: "\n"))
}

private func describe(_ path: FilePath, as name: String, into lines: inout [String]) throws {
  var facts = stat()
  guard lstat(path.string, &facts) == 0 else { throw unreadable(path, errno) }
  let quoted = name.debugDescription
  switch facts.st_mode & S_IFMT {
  case S_IFDIR:
    lines.append("folder \(quoted)")
    for child in try names(in: path) {
      try describe(path.appending(child), as: name + "/" + child, into: &lines)
    }
  case S_IFLNK:
    var target = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink(path.string, &target, target.count)
    guard count >= 0 else { throw unreadable(path, errno) }
    let bytes = target[..<count].map { UInt8(bitPattern: $0) }
    lines.append("link \(quoted) \(ContentHash(of: bytes))")
  case S_IFREG:
    let mode = facts.st_mode & S_IXUSR == 0 ? "file" : "program"
    lines.append("\(mode) \(quoted) \(try ContentHash(ofFile: path))")
  default:
    throw UnreadableInput(path: path.string, reason: "neither a file, a folder nor a link")
  }
}

private func unreadable(_ path: FilePath, _ number: CInt) -> UnreadableInput {
  UnreadableInput(path: path.string, reason: Errno(rawValue: number).description)
}
