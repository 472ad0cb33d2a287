internal import Isolation
internal import SystemPackage

/// Finds libraries as the loader of Debian and Ubuntu does. Source: ld.so(8).
///
/// An object's own RPATH and that of what loads it count only where it has no RUNPATH; then come the
/// folders of /etc/ld.so.conf, then the system's.
struct Libraries {
  private let files: ImageFiles
  private let machine: Machine
  /// The folders that count for every object.
  private let folders: [FilePath]

  init(_ files: ImageFiles, machine: Machine) throws {
    self.files = files
    self.machine = machine
    folders =
      try Self.configured("/etc/ld.so.conf", in: files.root)
      + ["/lib/\(machine.triplet)", "/usr/lib/\(machine.triplet)", "/lib", "/usr/lib", "/lib64"]
      .map { FilePath($0) }
  }

  /// Everything that the loader would miss for a program, one sentence each.
  func faults(of program: ImageFiles.Found) throws -> [String] {
    guard let elf = program.elf else { return [] }
    var faults: [String] = []
    if let loader = elf.loader {
      if try files.file(at: FilePath(loader))?.elf == nil {
        return ["needs the loader '\(loader)', which the image does not have"]
      }
    } else if elf.needed.isEmpty {
      return []
    }
    // By name, as the loader knows them: what is there once serves all that ask for it.
    var loaded: [String: ImageFiles.Found] = [:]
    var queue: [(object: ImageFiles.Found, paths: [FilePath], by: String?)] = [(program, [], nil)]
    var next = 0
    while next < queue.count {
      let (object, inherited, by) = queue[next]
      next += 1
      guard let elf = object.elf else { continue }
      let owner = by.map { "'\($0)', which it needs, " } ?? ""
      let rpath = elf.runpath.isEmpty ? places(elf.rpath, object.path) + inherited : []
      for name in elf.needed where loaded[name] == nil {
        let places = rpath + places(elf.runpath, object.path) + folders
        guard let found = try library(name, in: places) else {
          faults.append("\(owner)needs '\(name)', which the image does not have")
          continue
        }
        loaded[name] = found
        queue.append((found, rpath, name))
      }
      for need in elf.needs {
        guard let found = loaded[need.library] else { continue }  // missing, and named above
        guard let has = found.elf?.versions, !has.contains(need.version) else { continue }
        faults.append(owner + missing(need, from: found, has: has))
      }
    }
    return merged(faults)
  }

  private func missing(
    _ need: ELF.Need, from library: ImageFiles.Found, has: Set<String>
  ) -> String {
    let prefix = "GLIBC_"
    if need.version.hasPrefix(prefix), let newest = newest(has, prefix) {
      return "needs \(need.version), the image has \(newest)"
    }
    return "needs '\(need.version)' of '\(need.library)', which '\(library.path)' does not have"
  }

  /// The highest version of a family: `2.36` of `GLIBC_2.36`.
  private func newest(_ versions: Set<String>, _ prefix: String) -> String? {
    versions.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
      .filter { $0.allSatisfy { $0.isNumber || $0 == "." } }
      .max { numbers($0).lexicographicallyPrecedes(numbers($1)) }
  }

  /// Of several versions of the C library that are too new, the newest says it all.
  private func merged(_ faults: [String]) -> [String] {
    var merged: [String] = []
    for fault in faults {
      let (head, number) = glibc(fault)
      if let number, let index = merged.firstIndex(where: { glibc($0).head == head }),
        let other = glibc(merged[index]).number
      {
        if numbers(other).lexicographicallyPrecedes(numbers(number)) { merged[index] = fault }
      } else {
        merged.append(fault)
      }
    }
    return merged
  }

  private func glibc(_ fault: String) -> (head: String, number: String?) {
    guard let match = fault.firstMatch(of: #/^(.*)needs GLIBC_([0-9.]+), /#) else {
      return (fault, nil)
    }
    return (String(match.1), String(match.2))
  }

  private func library(_ name: String, in places: [FilePath]) throws -> ImageFiles.Found? {
    if name.contains("/") { return try files.file(at: FilePath(name)) }
    for place in places {
      if let found = try files.file(at: place.appending(name)), found.elf?.machine == machine.code {
        return found
      }
    }
    return nil
  }

  /// The folders of an RPATH, with what stands for the object's own folder.
  private func places(_ paths: [String], _ object: FilePath) -> [FilePath] {
    let origin = object.removingLastComponent().string
    return paths.map { path in
      FilePath(
        path.replacing("${ORIGIN}", with: origin).replacing("$ORIGIN", with: origin)
          .replacing("${LIB}", with: "lib/\(machine.triplet)")
          .replacing("$LIB", with: "lib/\(machine.triplet)")
          .replacing("${PLATFORM}", with: machine.platform)
          .replacing("$PLATFORM", with: machine.platform)
      ).lexicallyNormalized()
    }
  }

  /// The folders that a file of ld.so.conf names, in its order.
  private static func configured(_ path: FilePath, in root: RootFolder, depth: Int = 0) throws
    -> [FilePath]
  {
    guard depth < 8, let bytes = try root.contents(of: path) else { return [] }
    var folders: [FilePath] = []
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let text = line.prefix { $0 != "#" }
      let words = text.split { $0.isWhitespace || $0 == "," || $0 == ":" }
      if words.first == "include" {
        for pattern in words.dropFirst() {
          for file in try matches(String(pattern), in: root) {
            folders += try configured(file, in: root, depth: depth + 1)
          }
        }
      } else {
        folders += words.filter { $0.hasPrefix("/") }.map { FilePath(String($0)) }
      }
    }
    return folders
  }

  /// The files that a pattern such as `/etc/ld.so.conf.d/*.conf` means.
  private static func matches(_ pattern: String, in root: RootFolder) throws -> [FilePath] {
    let path = FilePath(pattern)
    guard let name = path.lastComponent?.string, let star = name.firstIndex(of: "*") else {
      return [path]
    }
    let folder = path.removingLastComponent()
    guard try root.status(of: folder, followsLinks: true)?.kind == .folder else { return [] }
    let (head, tail) = (name[..<star], name[name.index(after: star)...])
    return try root.names(in: folder).map(\.string)
      .filter { $0.hasPrefix(head) && $0.hasSuffix(tail) && $0.count >= head.count + tail.count }
      .map { folder.appending($0) }
  }
}

/// The processor that an image is for.
struct Machine: Sendable, Equatable {
  /// dpkg's name.
  var architecture: String
  /// ELF's number.
  var code: UInt16
  var triplet: String
  /// The loader's word.
  var platform: String

  /// Nil for processors that this cannot judge.
  init?(architecture: String) {
    self.architecture = architecture
    switch architecture {
    case "amd64": (code, triplet, platform) = (62, "x86_64-linux-gnu", "x86_64")
    case "arm64": (code, triplet, platform) = (183, "aarch64-linux-gnu", "aarch64")
    default: return nil
    }
  }

  /// dpkg's name of a processor, as far as it has one here.
  static func name(of code: UInt16) -> String {
    [3: "i386", 40: "armhf", 62: "amd64", 183: "arm64", 243: "riscv64"][code] ?? "machine \(code)"
  }
}

/// The numbers of a version, for comparing.
private func numbers(_ version: String) -> [Int] {
  version.split(separator: ".").compactMap { Int($0) }
}
