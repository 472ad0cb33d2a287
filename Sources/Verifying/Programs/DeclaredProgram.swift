public import Model

/// A program that an image claims to have.
public struct DeclaredProgram: Sendable, Equatable {
  /// Its absolute path in the image, or a name to be looked for where services look.
  public var program: String
  /// Who says so: `the command 'codex' of [npm]`.
  public var origin: String
  /// What its answer to `--version` must contain; nil does not run it.
  public var version: String?
  /// Where the recipe says it.
  public var position: SourcePosition?

  public init(
    _ program: String, origin: String, version: String? = nil, position: SourcePosition? = nil
  ) {
    self.program = program
    self.origin = origin
    self.version = version
    self.position = position
  }
}

/// What is wrong with a declared program.
public struct ProgramFault: Sendable, Equatable, CustomStringConvertible {
  public var program: DeclaredProgram
  /// What follows the program's name: `does not exist`.
  public var reason: String

  public var description: String {
    let place = program.position.map { "\($0): error: " } ?? ""
    return "\(place)'\(program.program)', \(program.origin), \(reason)"
  }
}

extension Recipe {
  /// The programs that a recipe says its image has, with the versions that the lock gives them.
  ///
  /// Those of units are in the unit files: see `unitNames`.
  public func declaredPrograms(_ lock: Lock) -> [DeclaredProgram] {
    var programs: [DeclaredProgram] = []
    for project in lock.npm {
      guard let npm, let tool = npm.tools.first(where: { $0.package == project.package })
      else { continue }
      for command in project.commands.keys.sorted()
      where npm.commands.isEmpty || npm.commands[command] == project.package {
        programs.append(
          DeclaredProgram(
            "/usr/local/bin/\(command)", origin: "the command '\(command)' of '\(project.package)'",
            version: project.version, position: tool.position))
      }
    }
    if let chromium {
      programs.append(
        DeclaredProgram(
          Chromium.path, origin: "the browser of [chromium]", version: chromiumVersion(lock),
          position: chromium.position))
    }
    for wheel in wheels {
      for (link, _) in wheel.links where isCommand(link) {
        programs.append(
          DeclaredProgram(
            link, origin: "a link of the wheel '\(wheel.package)'", position: wheel.position))
      }
      for (_, path) in wheel.files where isCommand(path) {
        programs.append(
          DeclaredProgram(
            path, origin: "a file of the wheel '\(wheel.package)'", position: wheel.position))
      }
    }
    for file in files where isCommand(file.path) && file.content != .folder {
      programs.append(
        DeclaredProgram(file.path, origin: "a [[file]]", position: file.position))
    }
    return programs.sorted { $0.program < $1.program }
  }

  /// The units that the recipe brings or enables, with where it says so; those that it masks are not
  /// among them.
  public var declaredUnits: [Located<String>] {
    units.filter { $0.state != .masked && ($0.source ?? $0.text) != nil || $0.state == .enabled }
      .map { Located($0.name, at: $0.position) }
      + agents.compactMap { agent in
        let name = agent.unit?.split(separator: "/").last.map(String.init)
        return name.map { Located($0, at: agent.position) }
      }
  }
}

/// Whether a path is one that shells find programs at.
private func isCommand(_ path: String) -> Bool {
  ["/usr/local/bin/", "/usr/local/sbin/", "/usr/bin/", "/usr/sbin/"].contains {
    path.hasPrefix($0) && !path.dropFirst($0.count).contains("/") && path.count > $0.count
  }
}
