internal import Assembling
internal import Content
internal import Layering
internal import Model
internal import SystemPackage

/// A stage of a root and the work that it is.
struct PlannedStage: Sendable {
  enum Work: Sendable {
    case packages([Lock.Package])
    case part(CustomisePart)
  }

  var stage: Stage
  var work: Work

  /// What it installs; nil for a stage that is none of packages.
  var packages: [Lock.Package]? {
    if case .packages(let packages) = work { packages } else { nil }
  }
}

extension BuildInputs {
  /// The stages of the root, the lowest first: what seldom changes lies below what often does.
  ///
  /// They depend on the inputs alone, and so are the same for a build that finds all of them in the
  /// store and for one that finds none.
  func stages() -> [PlannedStage] {
    let names = lock.stages.isEmpty ? ["packages"] : lock.stages
    let packages = names.enumerated().compactMap { number, name -> PlannedStage? in
      let packages = lock.packages.filter { $0.stage == number }
      if packages.isEmpty { return nil }
      return PlannedStage(
        stage: Stage(name: name, inputs: inputs(of: packages, isFirst: number == 0)),
        work: .packages(packages))
    }
    return packages
      + CustomisePart.all(of: recipe).map { PlannedStage(stage: stage(of: $0), work: .part($0)) }
  }

  /// The files of the lock that no stage is going to open, since their layers are in a store.
  func filesOfLayers(in store: FilePath) -> Set<ContentHash> {
    var forecast = StageForecast(in: store, history: nil)
    var (unread, needed) = (Set<ContentHash>(), Set(lock.boot.map(\.deb.sha256)))
    for planned in stages() {
      let files = files(of: planned.work)
      if forecast.reason(of: planned.stage) == nil {
        unread.formUnion(files)
      } else {
        needed.formUnion(files)
      }
    }
    return unread.subtracting(needed)
  }

  private func files(of work: PlannedStage.Work) -> [ContentHash] {
    switch work {
    case .packages(let packages): packages.map(\.deb.sha256)
    case .part(.archive(let archive)):
      lock.archives.filter { $0.name == archive.name }.map(\.file.sha256)
    case .part(.wheel(let wheel)): pin(of: wheel).map { [$0.file.sha256] } ?? []
    case .part(.tool(let tool)):
      lock.npm.filter { $0.package == tool.package }.flatMap(\.packages).map(\.tarball.sha256)
    case .part: []
    }
  }

  /// What the lock has of a wheel of the recipe.
  private func pin(of wheel: Recipe.Wheel) -> Lock.Wheel? {
    let name = wheelName(wheel.package.prefix { $0 != "=" })
    return lock.wheels.first { wheelName($0.name) == name }
  }

  /// What every stage depends on: grows when the program makes other layers of the same inputs.
  private var common: [StageInput] {
    [StageInput("the date of the lock", "\(lock.epoch)"), StageInput("the program's way", "1")]
  }

  private func inputs(of packages: [Lock.Package], isFirst: Bool) -> [StageInput] {
    var inputs = packages.map {
      StageInput(
        "package \($0.name)\($0.architecture == "all" ? "" : ":" + $0.architecture)", $0.version,
        identity: "\($0.deb.sha256) \($0.isEssential)")
    }
    if isFirst {
      inputs += recipe.users.map {
        StageInput(
          "user \($0.name)",
          identity: text($0.uid, $0.gid, $0.shell, $0.home, $0.comment))
      }
    }
    return inputs + common
  }

  private func stage(of part: CustomisePart) -> Stage {
    switch part {
    case .settings: return Stage(name: "settings", inputs: settings + common)
    case .archive(let archive):
      let pin = lock.archives.first { $0.name == archive.name }
      let input = StageInput(
        "archive \(archive.name)", pin.map { String($0.file.sha256.hex.prefix(12)) },
        identity: text(
          pin?.file.sha256.hex ?? "", archive.strip, archive.into, archive.include, archive.exclude)
      )
      return Stage(
        name: input.name, inputs: [input] + common, ground: .touched(with: [archive.into]))
    case .wheel(let wheel):
      let pin = pin(of: wheel)
      let input = StageInput(
        "wheel \(wheel.package.prefix { $0 != "=" })", pin?.version,
        identity: text(pin?.file.sha256.hex ?? "", sorted(wheel.files), sorted(wheel.links)))
      return Stage(
        name: input.name, inputs: [input] + common,
        ground: .touched(with: Array(wheel.files.values) + Array(wheel.links.keys)))
    case .browser(let browser):
      let input = StageInput(
        "chromium",
        identity: text(
          browser.source.rawValue, browser.into, browser.program, recipe.base.distribution.rawValue,
          recipe.base.suite))
      return Stage(name: "chromium", inputs: [input] + common)
    case .tool(let tool):
      let project = lock.npm.first { $0.package == tool.package }
      let into = recipe.npm?.into ?? "/"
      let runsScripts = project?.packages.contains { !$0.scripts.isEmpty } ?? false
      let tarballs = (project?.packages ?? []).map {
        text(
          $0.path, $0.name, $0.tarball.sha256.hex, $0.integrity, sorted($0.bin), $0.scripts)
      }
      let input = StageInput(
        "npm \(tool.package)", project?.version,
        identity: text(
          into, sorted(recipe.npm?.commands ?? [:]), sorted(project?.commands ?? [:]),
          sorted(project?.places ?? [:]), tarballs,
          runsScripts ? sorted(recipe.npm?.environment ?? [:]) : []))
      return Stage(
        name: input.name, inputs: [input] + common,
        // A script may look at anything.
        ground: runsScripts ? .everything : .touched(with: [into, "/usr/local/bin"]))
    case .content: return Stage(name: "content", inputs: content + common)
    case .agents: return Stage(name: "agents", inputs: agents + common)
    }
  }

  private var settings: [StageInput] {
    let image = recipe.image
    return [
      StageInput("the image's name", image.name), StageInput("hostname", image.hostname),
      StageInput("timezone", image.timezone), StageInput("locale", image.locale),
      StageInput(
        "what 'install' names", identity: text(recipe.packages.install.map(\.value).sorted())),
    ] + recipe.users.map { StageInput("user \($0.name)", identity: text($0.home, $0.groups)) }
  }

  private var content: [StageInput] {
    var inputs: [StageInput] = []
    if !recipe.environmentOfTools.isEmpty {
      inputs.append(
        StageInput("the tools' environment", identity: text(sorted(recipe.environmentOfTools))))
    }
    for file in recipe.files {
      let name = "file \(file.path)"
      let what: String =
        switch file.content {
        case .text(let content): text("text", content)
        case .link(let target): text("link", target)
        case .folder: "folder"
        case .source: text("source", local.hashes[name]?.hex ?? "")
        }
      inputs.append(
        StageInput(name, identity: text(what, file.mode.map(Int.init) ?? -1, file.owner)))
    }
    for unit in recipe.units {
      let name = "unit \(unit.name)"
      inputs.append(
        StageInput(
          name,
          identity: text(local.hashes[name]?.hex ?? "", unit.text ?? "", "\(unit.state)")))
    }
    for run in recipe.runs {
      inputs.append(
        StageInput(
          "run \(run.name)",
          identity: text(
            run.command, sorted(run.environment), run.user, run.directory, run.hasNetwork,
            recipe.image.hostname)))
    }
    return inputs
  }

  private var agents: [StageInput] {
    recipe.agents.flatMap { agent -> [StageInput] in
      let name = "agent \(agent.name)"
      let unit = local.hashes["unit of agent \(agent.name)"]
      let files =
        local.paths[name]?.map { path in
          StageInput(
            path.name == "." ? name : "\(name): \(path.name.dropFirst(2))", identity: path.line)
        } ?? [StageInput(name, identity: local.hashes[name]?.hex ?? "")]
      return files + [
        StageInput("unit of agent \(agent.name)", identity: unit?.hex ?? ""),
        StageInput(
          "where agent \(agent.name) goes",
          identity: text(agent.into, agent.unit.map(fileName) ?? "", agent.isEnabled, agent.owner)),
      ]
    } + [StageInput("the lock", identity: lockHash.hex)]
  }
}

/// Values as one text that tells any two lists of them apart.
private func text(_ values: Any...) -> String {
  values.map { value in
    if let list = value as? [String] { return "\(list)" }
    return "\(value)".debugDescription
  }.joined(separator: " ")
}

private func sorted(_ table: [String: String]) -> [String] {
  table.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
}

private func fileName(_ path: String) -> String {
  path.split(separator: "/").last.map(String.init) ?? path
}

/// A Python package's name as indices compare it.
private func wheelName(_ name: some StringProtocol) -> String {
  name.lowercased().filter { !$0.isWhitespace }.split { "-_.".contains($0) }.joined(separator: "-")
}
