internal import Model

/// What npm's `package-lock.json`, version 3, says of one project.
struct NPMPackageLock: Sendable, Equatable {
  struct Entry: Sendable, Equatable {
    var path: String
    /// The registry's name, which may differ from the folder's.
    var name: String
    var version: String
    /// The tarball's address.
    var resolved: String
    var integrity: String
    var isOptional: Bool
    var hasInstallScript: Bool
    var os: [String]
    var cpu: [String]
    var libc: [String]
    var node: String?
    var bin: [String: String]
    /// Name → what it asks for.
    var optional: [String: String]
  }

  /// Sorted by path.
  var entries: [Entry]

  /// Reads the text; what comes in the tarball of another package is left out.
  ///
  /// - Throws: `.failed` for what a registry does not give: links, git and folders.
  init(_ text: String) throws {
    let members: [String: JSONNode]
    do {
      guard case .object(let packages)? = try JSONNode.parse(text)["packages"]?.value else {
        throw Self.failure("it has no packages")
      }
      members = packages
    } catch is JSONFault { throw Self.failure("it is not JSON") }
    entries = []
    for (path, node) in members.sorted(by: { $0.key < $1.key }) where !path.isEmpty {
      if node["inBundle"]?.isTrue == true { continue }
      guard let version = node["version"]?.string, let resolved = node["resolved"]?.string,
        resolved.hasPrefix("http"), let integrity = node["integrity"]?.string, isPlain(path)
      else { throw Self.failure("'\(path)' does not come from a registry") }
      guard let sha512 = integrity.split(separator: " ").first(where: { $0.hasPrefix("sha512-") })
      else { throw Self.failure("the registry gives no SHA-512 of '\(path)'") }
      entries.append(
        Entry(
          path: path, name: node["name"]?.string ?? folderName(of: path), version: version,
          resolved: resolved, integrity: String(sha512),
          isOptional: node["optional"]?.isTrue ?? false,
          hasInstallScript: node["hasInstallScript"]?.isTrue ?? false,
          os: node["os"]?.texts ?? [], cpu: node["cpu"]?.texts ?? [],
          libc: node["libc"]?.texts ?? [], node: node["engines"]?["node"]?.string,
          bin: node["bin"]?.pairs ?? [:], optional: node["optionalDependencies"]?.pairs ?? [:]))
    }
  }

  /// The entry that a package finds when it asks for a name: in its own folder or one above.
  func entry(named name: String, for path: String) -> Entry? {
    var folder = path
    while true {
      let place = (folder.isEmpty ? "" : folder + "/") + "node_modules/\(name)"
      if let found = entries.first(where: { $0.path == place }) { return found }
      guard let end = folder.ranges(of: "node_modules/").last?.lowerBound else { return nil }
      folder = String(folder[..<end].dropLast())
    }
  }

  private static func failure(_ reason: String) -> ResolvingFailure {
    .failed(program: "npm", status: "wrote a lock that is of no use", output: reason)
  }
}

/// The name of a package's folder with its scope: what follows the last `node_modules/`.
func folderName(of path: String) -> String {
  guard let end = path.ranges(of: "node_modules/").last?.upperBound else { return path }
  return String(path[end...])
}

/// Whether a path of a lock stays in its project.
private func isPlain(_ path: String) -> Bool {
  path.hasPrefix("node_modules/")
    && path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
      !$0.isEmpty && $0 != "." && $0 != ".."
    }
}

extension JSONNode {
  fileprivate var isTrue: Bool { value == .bool(true) }
}

/// The machine that an image is for, in npm's words.
struct NPMTarget: Sendable, Equatable {
  let os = "linux"
  let cpu: String
  /// Debian and Ubuntu have no other.
  let libc = "glibc"

  init(architecture: String) {
    cpu =
      ["amd64": "x64", "i386": "ia32", "armhf": "arm", "ppc64el": "ppc64"][architecture]
      ?? architecture
  }

  /// Whether npm would install a package of these platforms here.
  func fits(os: [String], cpu: [String], libc: [String]) -> Bool {
    Self.holds(self.os, os) && Self.holds(self.cpu, cpu) && Self.holds(self.libc, libc)
  }

  /// npm's rule: none of the names with `!`, and one of the others if there are any.
  private static func holds(_ name: String, _ list: [String]) -> Bool {
    if list.isEmpty || list == ["any"] { return true }
    let refused = list.filter { $0.hasPrefix("!") }
    return !refused.contains("!\(name)") && (list.contains(name) || refused.count == list.count)
  }

  /// Whether a package that the registry does not have is, by its name, for another machine.
  func isForeign(_ name: String, _ spec: String) -> Bool {
    let words = Set(
      "\(name) \(spec)".split { !$0.isLetter && !$0.isNumber }.map { $0.lowercased() })
    let systems: Set = [
      "darwin", "macos", "win32", "windows", "android", "freebsd", "openbsd", "netbsd", "sunos",
      "aix", "linux",
    ]
    let processors: Set = [
      "x64", "arm64", "arm", "ia32", "x86", "ppc64", "ppc64le", "s390x", "riscv64", "loong64",
    ]
    let foreign = words.intersection(systems).subtracting([os])
      .union(words.intersection(processors).subtracting([cpu]))
    return !foreign.isEmpty || words.contains("musl") || words.contains("linuxmusl")
  }
}
