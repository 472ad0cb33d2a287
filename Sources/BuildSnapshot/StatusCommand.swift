internal import ArgumentParser
internal import Model
internal import Pipeline

/// `build-snapshot status RECIPE.toml`: whether what is published is what the working tree holds.
struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Say whether the published image has the agents of the working tree.",
    discussion: "Ends with status 1 when it has not, or when nothing is published.")

  @OptionGroup var recipe: RecipeOptions
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() async throws {
    let (source, folder) = (recipe.source, store.folder)
    let isCurrent = Result()
    try await running(common) { [common] _ in
      let status = try await status(of: source, store: folder)
      StandardOutput.write(common.json ? json(status) : text(of: status))
      await isCurrent.set(status.isCurrent)
    }
    if await !isCurrent.value { throw ExitCode(1) }
  }
}

/// What the work found out.
private actor Result {
  private(set) var value = false
  func set(_ value: Bool) { self.value = value }
}

private func text(of status: ImageStatus) -> String {
  guard let version = status.version else {
    return padded("image", 10) + "\(status.image): nothing is published yet\n"
  }
  let age = status.published.map {
    ", published \(elapsed(since: Timestamp(seconds: $0), at: present())) ago"
  }
  let lines = ["\(status.image)@\(version)\(age ?? "")"] + status.agents.map(line)
  let names = ["image"] + status.agents.map { _ in "agent" }
  return zip(names, lines).map { padded($0, 10) + $1 + "\n" }.joined()
}

private func line(of agent: ImageStatus.Agent) -> String {
  switch agent.state {
  case .current: "\(agent.name) is as published"
  case .missing: "\(agent.name) is not in the published build"
  case .changed:
    if let seconds = agent.changedAfter {
      "\(agent.name) changed \(delay(seconds)) after the published build"
    } else {
      "\(agent.name) is not the one of the published build"
    }
  }
}

/// `1 minute`, `67 minutes`, `3 hours`.
private func delay(_ seconds: Int) -> String {
  let (count, unit) =
    switch seconds {
    case 172_800...: (seconds / 86_400, "day")
    case 7_200...: (seconds / 3_600, "hour")
    case 60...: (seconds / 60, "minute")
    default: (seconds, "second")
    }
  return count == 1 ? "1 \(unit)" : "\(count) \(unit)s"
}
