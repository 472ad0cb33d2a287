internal import ArgumentParser
internal import Model
internal import Pipeline

/// `build-snapshot status RECIPE.toml`: whether what is published is what the working tree holds.
struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract:
      "Say whether the published image has the agents of the working tree, and how builds went.",
    discussion: """
      Ends with status 1 when it has not, or when nothing is published. The last success and the last \
      failure are those of the store's run records.
      """)

  @OptionGroup var recipe: RecipeOptions
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() async throws {
    let (source, folder) = (recipe.source, store.folder)
    let isCurrent = Result()
    try await running(common) { [common] _ in
      let status = try await status(of: source, store: folder)
      let report = StatusReport(
        status, RunRecords(store: folder).all(of: status.image), at: present())
      StandardOutput.write(common.json ? json(report) : text(of: report))
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

/// The status of an image, and how its last builds on this store ended.
private struct StatusReport: Encodable {
  var status: ImageStatus
  var lastSuccess: RunRecord?
  var lastFailure: RunRecord?
  var now: Timestamp

  init(_ status: ImageStatus, _ runs: [RunRecord], at now: Timestamp) {
    self.status = status
    self.now = now
    lastSuccess = runs.last { $0.result.isSuccess }
    lastFailure = runs.last { !$0.result.isSuccess }
  }

  private enum Key: String, CodingKey {
    case lastSuccess, lastSuccessAge, lastFailure, lastFailureAge
  }

  /// The status's own members, then the runs with their ages in seconds.
  func encode(to encoder: any Encoder) throws {
    try status.encode(to: encoder)
    var members = encoder.container(keyedBy: Key.self)
    try members.encodeIfPresent(lastSuccess, forKey: .lastSuccess)
    try members.encodeIfPresent(lastSuccess.map(age), forKey: .lastSuccessAge)
    try members.encodeIfPresent(lastFailure, forKey: .lastFailure)
    try members.encodeIfPresent(lastFailure.map(age), forKey: .lastFailureAge)
  }

  private func age(of run: RunRecord) -> Int { now.seconds - run.finished.seconds }
}

private func text(of report: StatusReport) -> String {
  let status = report.status
  var rows: [(name: String, text: String)] = []
  if let version = status.version {
    let age = status.published.map {
      ", published \(elapsed(since: Timestamp(seconds: $0), at: report.now)) ago"
    }
    rows.append(("image", "\(status.image)@\(version)\(age ?? "")"))
  } else {
    rows.append(("image", "\(status.image): nothing is published yet"))
  }
  for (name, run) in [("success", report.lastSuccess), ("failure", report.lastFailure)] {
    guard let run else { continue }
    // The first line of the error says enough here; the record has all of it.
    let reason = run.error?.split(separator: "\n").first.map { ": \($0)" } ?? ""
    rows.append(
      (name, "\(elapsed(since: run.finished, at: report.now)) ago, \(run.result.rawValue)\(reason)")
    )
  }
  rows += status.agents.map { ("agent", line(of: $0)) }
  return rows.map { padded($0.name, 10) + $0.text + "\n" }.joined()
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
