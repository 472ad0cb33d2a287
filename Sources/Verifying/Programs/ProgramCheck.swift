public import Isolation
public import Model
internal import SystemPackage

/// Finds out whether the programs that an image claims to have are there, can start on its processor
/// with its libraries, and are the versions that the lock says.
///
/// A stand-in does not pass: a script is judged by what it hands over to.
public struct ProgramCheck {
  /// What was found.
  public struct Result: Sendable, Equatable {
    public var faults: [ProgramFault] = []
    /// What scripts call: worth knowing, not wrong.
    public var remarks: [String] = []
  }

  private let sandbox: Sandbox
  private let files: ImageFiles
  private let machine: Machine?
  private let libraries: Libraries?
  private let user: SandboxUser
  private let environment: [String: String]

  /// - Parameters:
  ///   - sandbox: its root is judged, and programs run in it.
  ///   - architecture: dpkg's name of the image's.
  ///   - user: whom programs run as; nothing that they write stays but in the folders of this user.
  ///   - environment: what the image gives to all that runs in it.
  public init(
    _ sandbox: Sandbox, architecture: String, user: SandboxUser, environment: [String: String] = [:]
  ) throws {
    self.sandbox = sandbox
    files = try ImageFiles(RootFolder(sandbox.root))
    machine = Machine(architecture: architecture)
    libraries = try machine.map { [files] in try Libraries(files, machine: $0) }
    self.user = user
    self.environment = environment
  }

  /// Judges programs, and those that units start.
  ///
  /// - Throws: `CancellationError`, `RootFailure`, `IsolationFailure`, `Errno`; a program that is not what
  ///   it should be is no error but a fault.
  public func run(_ declared: [DeclaredProgram], units: [Located<String>] = []) throws -> Result {
    var all = declared
    for unit in units { all += try programs(ofUnit: unit, in: files.root) }
    var result = Result()
    for program in all {
      try Task.checkCancellation()
      let (reasons, calls) = try judge(program.program)
      result.remarks += calls.map { "'\(program.program)' is a script that calls '\($0)'" }
      result.faults += reasons.map { ProgramFault(program: program, reason: $0) }
      guard reasons.isEmpty, let version = program.version else { continue }
      if let reason = try versionFault(of: program.program, version) {
        result.faults.append(ProgramFault(program: program, reason: reason))
      }
    }
    result.faults += try snapFaults(besides: Set(all.map { FilePath($0.program).lastComponent }))
    return result
  }

  /// Small scripts where shells look for programs that hand over to a snap: a package brought them,
  /// whoever else declares them. Nothing of a snap is in an image.
  private func snapFaults(besides declared: Set<FilePath.Component?>) throws -> [ProgramFault] {
    var faults: [ProgramFault] = []
    for folder in Self.folders + ["/usr/games"] {
      // A link, as '/bin' is, leads to a folder that is looked at under its own name.
      guard try files.root.status(of: FilePath(folder))?.kind == .folder else { continue }
      for name in try files.root.names(in: FilePath(folder)) where !declared.contains(name) {
        let path = FilePath(folder).appending(name)
        guard let status = try files.root.status(of: path), status.kind == .file,
          status.size <= 1 << 14,
          let script = try files.file(at: path).flatMap({ Script($0.start) }),
          let snap = script.calls.first(where: isSnap)
        else { continue }
        let program = DeclaredProgram(path.string, origin: "which a package brings")
        faults.append(
          ProgramFault(
            program: program, reason: "is a script that calls '\(snap)': a snap, not a program"))
      }
    }
    return faults
  }

  // What can be told without running it.

  private func judge(_ name: String, depth: Int = 0) throws -> (reasons: [String], calls: [String])
  {
    guard let path = try located(name) else {
      if let target = try brokenLink(name) {
        return (["is a link to '\(target)', which does not exist"], [])
      }
      return (["does not exist"], [])
    }
    guard let found = try files.file(at: path) else { return (["does not exist"], []) }
    guard found.isExecutable else {
      return (["cannot be executed: its mode does not allow it"], [])
    }
    if let elf = found.elf {
      guard let machine, let libraries else { return ([], []) }
      guard elf.machine == machine.code else {
        let other = Machine.name(of: elf.machine)
        return (["is a program for \(other), the image is for \(machine.architecture)"], [])
      }
      do { return (try libraries.faults(of: found), []) } catch let fault as ELFFault {
        return (["is damaged: \(fault)"], [])
      }
    }
    guard found.size > 0 else { return (["is empty"], []) }
    guard let script = Script(found.start) else {
      return (["is neither a program nor a script"], [])
    }
    guard depth < 4 else { return (["is a script that a script runs, and so on without end"], []) }
    return try judge(script, depth: depth)
  }

  private func judge(_ script: Script, depth: Int) throws -> (reasons: [String], calls: [String]) {
    let interpreter = script.searched ?? script.interpreter[0]
    var reasons: [String] = []
    for name in Set([script.interpreter[0], interpreter]).sorted() {
      reasons += try judge(name, depth: depth + 1).reasons.map {
        "is a script for '\(name)', which \($0)"
      }
    }
    // A script may choose between several; one of them must be real.
    let calls = script.calls.filter { $0.contains("/") || isSnap($0) }
    var present: [String] = []
    var missing: [String] = []
    for call in calls {
      let faults = try judge(call, depth: depth + 1).reasons
      if faults.isEmpty {
        present.append(call)
      } else {
        missing.append("is a script that calls '\(call)', which \(faults[0])")
      }
    }
    let snaps = calls.filter(isSnap).map { "is a script that calls '\($0)': a snap, not a program" }
    if let snap = snaps.first {
      reasons.append(snap)
    } else if present.isEmpty {
      reasons += missing
    }
    return (reasons, present)
  }

  private func isSnap(_ call: String) -> Bool {
    call == "snap" || call.hasSuffix("/bin/snap") || call.hasPrefix("/snap/")
  }

  /// Where a program is: its path, or the first of the usual folders that has it.
  private func located(_ name: String) throws -> FilePath? {
    let paths =
      name.contains("/")
      ? [FilePath(name)]
      : Self.folders.map { FilePath($0).appending(name) }
    return try paths.first { try files.root.status(of: $0, followsLinks: true)?.kind == .file }
  }

  private static let folders = [
    "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
  ]

  private func brokenLink(_ name: String) throws -> FilePath? {
    guard name.contains("/") else { return nil }
    return try files.root.target(ofLink: FilePath(name))
  }

  // What it says.

  /// Why a program's answer to `--version` is not the version that it should be.
  private func versionFault(of program: String, _ version: String) throws -> String? {
    var settings = environment
    // A home that goes with the sandbox: what is asked for its version may write there.
    settings["HOME"] = "/tmp"
    let result = try sandbox.run(
      SandboxCommand(
        [program, "--version"], environment: settings, user: user, folder: "/tmp",
        timeLimit: .seconds(60), captureLimit: 1 << 16))
    let lines = result.text.split(separator: "\n").filter { !$0.allSatisfy(\.isWhitespace) }
    guard result.isSuccess else {
      let said = lines.suffix(3).joined(separator: " / ")
      return "does not tell its version: \(result.ending)" + (said.isEmpty ? "" : ": \(said)")
    }
    guard !lines.contains(where: { $0.hasVersion(version) }) else { return nil }
    let said = lines.first.map { "says '\($0)'" } ?? "says nothing"
    return "\(said) when asked for its version, the lock has \(version)"
  }
}

extension Substring {
  /// Whether a version stands in a line, and not as a part of a longer one.
  fileprivate func hasVersion(_ version: String) -> Bool {
    for range in ranges(of: version) {
      let before = self[..<range.lowerBound].last
      var after = self[range.upperBound...]
      if after.first == "." { after = after.dropFirst() }
      if before.map({ $0.isNumber || $0 == "." }) != true, after.first?.isNumber != true {
        return true
      }
    }
    return false
  }
}
