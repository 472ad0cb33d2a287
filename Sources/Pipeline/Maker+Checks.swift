internal import Content
internal import Imaging
internal import Isolation
internal import Model
internal import Publishing
internal import SystemPackage
internal import Verifying

#if canImport(Glibc)
  internal import Glibc
#endif

/// What the checks found out of an image that passed them.
struct Verdict {
  /// What manifests say of them.
  var checks: [Manifest.Check] = []
  /// What is in the image.
  var files: FileList?
  /// What the next build need not find out again.
  var known: KnownContents?
}

extension Maker {
  /// Judges a finished image by every check that the recipe asks for.
  ///
  /// - Parameter tree: what it was made of.
  /// - Throws: `CheckFailure` when one of them failed; the evidence then lies in the store's `runs`.
  func check(_ disk: FilePath, of tree: Tree, root: FilePath) async throws -> Verdict {
    let recipe = inputs.recipe
    let run = try RunFolder(of: recipe.image.name, in: request.store)
    events(.began(.check, total: nil, unit: .items))
    // The longest step, and it reads the image only; left early when another check has failed.
    async let booted = boot(disk, evidence: run.path)
    var done = 0
    let judge = ImageJudge(
      disk: disk, recipe: recipe, jobs: request.jobs ?? processors, skipping: request.skippedChecks,
      evidence: run.path)
    let sink = events
    var report = Report()
    let judgement = try judge.results(
      root: root, meant: tree, known: memory.contents, epoch: inputs.lock.epoch,
      agentHashes: try agentHashes(of: recipe), builder: builder(root: root)
    ) { result in
      done += 1
      sink(.advanced(.check, done: done, subject: result.name))
    }
    report.results = judgement.results
    let sandbox = Sandbox(root: root, hostname: recipe.image.hostname)
    report.results += try runTreeTests(
      of: recipe, in: sandbox, skipping: request.skippedChecks,
      onOutput: { try run.keep($1, of: $0) },
      onResult: { sink(.advanced(.check, done: done, subject: $0.name)) })
    if !report.hasFailed {
      if recipe.boot != nil { sink(.advanced(.check, done: done, subject: "boot")) }
      report.results += try await booted
    }
    events(.ended(.check))
    try run.write(report)
    for finding in report.findings where finding.severity == .warning {
      events(.note("\(finding)"))
    }
    guard !report.hasFailed else { throw CheckFailure(report: report, evidence: run.path.string) }
    return Verdict(checks: report.manifestChecks, files: judgement.files, known: judgement.known)
  }

  /// Boots the image where the recipe asks for it; what stands in the way of that is a failure.
  private func boot(_ disk: FilePath, evidence: FilePath) async throws -> [CheckResult] {
    let recipe = inputs.recipe
    guard recipe.boot != nil else { return [] }
    guard !request.skippedChecks.contains("boot") else {
      return unbooted(.skipped, "--skip-check was given")
    }
    let results = try await bootResults(
      of: disk, recipe, inputs.lock, from: blobs, store: request.store, evidence: evidence,
      skipping: request.skippedChecks, events: events)
    guard let obstacle = results.first, obstacle.outcome == .skipped else { return results }
    return unbooted(.failed, obstacle.remark ?? "")
  }

  private func builder(root: FilePath) -> BuildMachine {
    BuildMachine(hostName: hostName(), folders: [root.removingLastComponent().string])
  }
}

/// The name of this machine.
func hostName() -> String? {
  var buffer = [CChar](repeating: 0, count: 256)
  guard gethostname(&buffer, buffer.count - 1) == 0 else { return nil }
  let end = buffer.firstIndex(of: 0) ?? buffer.endIndex
  return String(decoding: buffer[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
