import Foundation
import Isolation
import Model
import Support
import SystemPackage

@testable import Verifying

/// A root with a few of this machine's programs, their libraries, and a shell.
struct ProgramRoot {
  let folder: TemporaryFolder

  init(_ programs: [String] = ["grep"]) throws {
    folder = try TemporaryFolder()
    for name in ["bin", "sbin", "lib", "lib64"] {
      try FileManager.default.createSymbolicLink(
        atPath: (folder / name).string, withDestinationPath: "usr/\(name)")
    }
    chmod(folder.path.string, 0o755)
    let all = (["dash", "env"] + programs).map { "/usr/bin/\($0)" }
    let libraries = try runTool("ldd", all).succeeded().output.split(separator: "\n")
      .flatMap { $0.split(whereSeparator: \.isWhitespace) }.filter {
        $0.hasPrefix("/") && !$0.hasSuffix(":")
      }
    let paths = Set(all + libraries.map { $0.hasPrefix("/usr/") ? String($0) : "/usr\($0)" })
    for path in paths.sorted() {
      _ = try runTool(
        "sh",
        [
          "-c", "mkdir -p \"$(dirname \"$2\")\"; cp -L \"$1\" \"$2\"", "sh", path,
          folder.path.string + path,
        ]
      ).succeeded()
    }
    try link("/usr/bin/sh", to: "dash")
  }

  func link(_ path: String, to target: String) throws {
    try makeFolder(of: path)
    try FileManager.default.createSymbolicLink(
      atPath: folder.path.string + path, withDestinationPath: target)
  }

  func write(_ path: String, _ text: String, mode: Int = 0o755) throws {
    try makeFolder(of: path)
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder.path.string + path))
    try FileManager.default.setAttributes(
      [.posixPermissions: mode], ofItemAtPath: folder.path.string + path)
  }

  func remove(_ path: String) throws {
    try FileManager.default.removeItem(atPath: folder.path.string + path)
  }

  /// Replaces a text by one of the same length throughout a file.
  func patch(_ path: String, _ old: String, _ new: String) throws {
    precondition(old.utf8.count == new.utf8.count)
    let file = URL(fileURLWithPath: folder.path.string + path)
    var bytes = try Data(contentsOf: file)
    while let range = bytes.range(of: Data(old.utf8)) {
      bytes.replaceSubrange(range, with: Data(new.utf8))
    }
    try bytes.write(to: file)
  }

  private func makeFolder(of path: String) throws {
    try FileManager.default.createDirectory(
      atPath: FilePath(folder.path.string + path).removingLastComponent().string,
      withIntermediateDirectories: true)
  }

  /// What the check says of programs of which no version is known.
  func faults(
    _ programs: String..., units: [String] = [], architecture: String = hostArchitecture
  ) throws -> [String] {
    try check(architecture).run(
      programs.map { DeclaredProgram($0, origin: "a test's") },
      units: units.map { Located($0, at: SourcePosition(file: "r.toml", line: 3, column: 1)) }
    ).faults.map(\.description)
  }

  func check(_ architecture: String = hostArchitecture) throws -> ProgramCheck {
    try ProgramCheck(
      Sandbox(root: folder.path), architecture: architecture,
      user: SandboxUser(uid: 1000, gid: 1000, home: "/home/agent"))
  }

  /// Whether the system's own loader is content, too.
  func runs(_ program: String) throws -> Bool {
    try runTool("chroot", [folder.path.string, program, "--version"]).status == 0
  }
}

#if arch(x86_64)
  let hostArchitecture = "amd64"
  let otherArchitecture = "arm64"
#else
  let hostArchitecture = "arm64"
  let otherArchitecture = "amd64"
#endif
