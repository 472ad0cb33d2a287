internal import Isolation
internal import SystemPackage

/// Carries out the table of `StandIn`s for one transaction.
///
/// Scripts and notes are in a folder of the root, which `finish` removes.
struct StandIns {
  static let folder = "/var/lib/dpkg/stand-ins"
  static func calls(of name: String) -> String { "\(folder)/\(name).calls" }

  let root: RootFolder

  /// A sandbox in which the programs that are there now are stood in for.
  func sandbox(_ sandbox: Sandbox) throws -> Sandbox {
    var sandbox = sandbox
    for entry in StandIn.all where try applies(entry) {
      let script = "\(Self.folder)/\(entry.name)"
      try root.makeFolders(FilePath(Self.folder))
      try root.write(
        Array(
          """
          #!/bin/sh
          for argument; do printf '=%s\\n' "$argument"; done >> \(Self.calls(of: entry.name))
          echo . >> \(Self.calls(of: entry.name))

          """.utf8), to: FilePath(script), mode: 0o755)
      sandbox.binds.append(
        Sandbox.Bind(FilePath(root.path.string + script), at: FilePath(entry.program)))
    }
    return sandbox
  }

  private func applies(_ entry: StandIn) throws -> Bool {
    guard try root.status(of: FilePath(entry.program))?.kind == .file else { return false }
    guard let folder = entry.mustBeEmpty, try root.status(of: FilePath(folder)) != nil
    else { return true }
    return try root.names(in: FilePath(folder)).isEmpty
  }

  /// A command that does what was put off, and its input; nil when nothing was.
  func work() throws -> (command: [String], input: [UInt8])? {
    var script = ""
    var waits = "failed=\n"
    for entry in StandIn.all {
      guard let text = try root.contents(of: FilePath(Self.calls(of: entry.name))) else { continue }
      let commands = entry.commands(Self.calls(in: text)).map { words in
        words.map {
          "'"
            + $0.split(separator: "'", omittingEmptySubsequences: false)
            .joined(separator: "'\\''") + "'"
        }.joined(separator: " ")
      }
      // A command without '-' gets no input: a background job's is /dev/null else.
      script += "{ \(commands.joined(separator: " && ")); } <&3 & job\(waits.count)=$!\n"
      waits += "wait $job\(waits.count) || failed=\"$failed \(entry.name)\"\n"
    }
    guard !script.isEmpty else { return nil }
    let end = "[ -z \"$failed\" ] || { echo \"failed:$failed\"; exit 1; }\n"
    return (["/bin/sh", "-c", "exec 3<&0\n" + script + waits + end], Array(compilePython.utf8))
  }

  func finish() throws { try root.remove(FilePath(Self.folder)) }

  /// The calls that a script noted: a line `=ARGUMENT` for each argument, a line `.` after each call.
  static func calls(in text: [UInt8]) -> [StandIn.Call] {
    var calls: [StandIn.Call] = []
    var call: StandIn.Call = []
    for line in text.split(separator: UInt8(ascii: "\n")) {
      if line.first == UInt8(ascii: "=") {
        call.append(String(decoding: line.dropFirst(), as: UTF8.self))
      } else {
        calls.append(call)
        call = []
      }
    }
    return calls
  }
}
