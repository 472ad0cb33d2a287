internal import Content
internal import Dispatch
public import Model
internal import Synchronization
public import SystemPackage

/// Boots an image that is never written to, and judges what it does.
///
/// Every result has the phase `vm`. Two machines run side by side where the recipe asks for clones:
/// the first is judged, the second compared with it.
public struct BootCheck: Sendable {
  var disk: FilePath
  var recipe: Recipe
  var boot: Recipe.Boot
  var media: BootMedia
  var acceleration: Acceleration
  /// Where console logs and pictures stay.
  var evidence: FilePath
  /// Where the machines' disks are while they run.
  var scratch: FilePath

  public init(
    disk: FilePath, recipe: Recipe, boot: Recipe.Boot, media: BootMedia,
    acceleration: Acceleration, evidence: FilePath, scratch: FilePath
  ) {
    self.disk = disk
    self.recipe = recipe
    self.boot = boot
    self.media = media
    self.acceleration = acceleration
    self.evidence = evidence
    self.scratch = scratch
  }

  private var tests: [Recipe.Test] { recipe.tests.filter { $0.stage == .boot } }
  private var slowness: Int { acceleration == .emulated ? 10 : 1 }

  /// Runs the machines; gives all results at once.
  public func results(onResult: (CheckResult) -> Void = { _ in }) throws -> [CheckResult] {
    let begin = ContinuousClock.now
    var first: MachineOutcome?
    var second: MachineOutcome?
    var failure: (any Error)?
    do { (first, second) = try run() } catch let error as CancellationError {
      throw error
    } catch { failure = error }
    let time = seconds(.now - begin)
    var results: [CheckResult] = []
    func add(
      _ name: String, _ body: (MachineOutcome) throws -> (findings: [Finding], remark: String?)
    ) throws {
      var result = try CheckResult.timed(name, .vm) {
        if let failure { throw failure }
        guard let first else { throw NotJudged("no machine ran") }
        return try body(first)
      }
      if name == "boot" { result.seconds = time }
      onResult(result)
      results.append(result)
    }
    try add("boot", boot)
    guard let first, first.ready != nil else { return results }
    try add("failed-units", failedUnits)
    try add("root-writable") { outcome in
      (
        outcome.isRootWritable
          ? []
          : [
            Finding(
              check: "root-writable", "the booted root cannot be written to",
              hint: "say 'rw' in [boot] cmdline")
          ],
        nil
      )
    }
    if !boot.health.isEmpty { try add("health", health) }
    if boot.display != nil { try add("display", display) }
    for (index, test) in tests.enumerated() {
      try add("test: \(test.name)") { try self.test($0, index) }
    }
    try add("growth", growth)
    if boot.clones { try add("clones") { try self.clones($0, second) } }
    return results
  }

  private func run() throws -> (MachineOutcome, MachineOutcome?) {
    let slots = Mutex<[Int: Result<MachineOutcome, any Error>]>([:])
    let count = boot.clones ? 2 : 1
    DispatchQueue.concurrentPerform(iterations: count) { index in
      let result = Result { try machine(index) }
      slots.withLock { $0[index] = result }
    }
    let results = slots.withLock { $0 }
    guard let first = results[0] else { throw NotJudged("no machine ran") }
    // That the second is missing, the comparison says.
    return (try first.get(), try? results[1]?.get())
  }

  private func machine(_ index: Int) throws -> MachineOutcome {
    let folder = scratch.appending("machine-\(index)")
    try makeFolder(folder)
    var ports: [(host: UInt16, guest: UInt16)] = []
    if index == 0 {
      let guests = boot.health.compactMap { UInt16($0.dropFirst(8).prefix { $0 != "/" }) }
      for guest in Set(guests).sorted() { ports.append((try freePort(), guest)) }
      if boot.display != nil { ports.append((try freePort(), 15900)) }
    }
    let own = index == 0 ? tests : []
    var boot = boot
    if index > 0 { (boot.display, boot.show) = (nil, []) }
    let initrd = folder.appending("initrd")
    let probe = Probe(boot: boot, tests: own, users: recipe.users, slowness: slowness)
    try writeAtomically(media.initrd(probe: probe), to: initrd)
    let emulator = Emulator(
      boot: boot, kernel: media.kernel, initrd: media.initrd ?? initrd, acceleration: acceleration,
      folder: folder, ports: ports, token: "verify-0123456789abcdef")
    try emulator.makeOverlay(on: disk)
    defer { keepEvidence(of: emulator, index) }
    let limit =
      acceleration == .emulated ? boot.timeout : max(10, boot.timeout / 10)
    return try MachineRun(
      emulator, tests: own, isFirst: index == 0, limit: .seconds(limit), idle: .zero
    ).run()
  }

  /// Copies what the machine wrote to the evidence; the verdict does not depend on it.
  private func keepEvidence(of emulator: Emulator, _ index: Int) {
    let name = index == 0 ? "console.log" : "console-clone.log"
    if let text = try? contents(of: emulator.console) {
      try? writeAtomically(text, to: evidence.appending(name))
    }
  }

  private func boot(_ outcome: MachineOutcome) throws -> ([Finding], String?) {
    guard let ready = outcome.ready, let wall = outcome.wall else {
      // Without a log there are no last lines.
      let log = (try? contents(of: evidence.appending("console.log"))) ?? []
      let lines = lastLines(ofConsole: String(decoding: log, as: UTF8.self))
      return (
        [
          Finding(
            check: "boot",
            "the image does not boot: \(outcome.cause ?? "nobody knows why"). The console's last lines:\n"
              + lines.map { "    \($0)" }.joined(separator: "\n"),
            hint: "all of it is in '\(evidence.appending("console.log"))'")
        ], nil
      )
    }
    try writeAtomically(Array(outcome.blame.utf8), to: evidence.appending("blame.txt"))
    var findings: [Finding] = []
    if let cause = outcome.cause {
      findings.append(Finding(check: "boot", "the machine was ready, and then: \(cause)"))
    }
    return (
      findings,
      "'\(boot.ready)' after \(tenths(ready)) s of the guest's time, \(tenths(wall)) s of ours, "
        + (acceleration == .kvm ? "with KVM" : "emulated") + ", on \(boot.processor)"
    )
  }

  private func failedUnits(_ outcome: MachineOutcome) -> ([Finding], String?) {
    let findings = outcome.failedUnits.map { unit in
      let log = (outcome.unitLogs[unit] ?? "").split(separator: "\n").suffix(4)
        .map { "    \($0)" }.joined(separator: "\n")
      return Finding(
        check: "failed-units", place: unit,
        "failed while the image booted" + (log.isEmpty ? "" : ":\n\(log)"))
    }
    return (findings, nil)
  }

  private func health(_ outcome: MachineOutcome) -> ([Finding], String?) {
    let findings = boot.health.enumerated().compactMap { index, address -> Finding? in
      let status = index < outcome.health.count ? outcome.health[index] : nil
      guard status != 200 else { return nil }
      return Finding(
        check: "health", place: address,
        status.map { "answered with status \($0), not 200" } ?? "did not answer")
    }
    return (findings, "\(boot.health.count - findings.count) of \(boot.health.count) answer")
  }

  private func display(_ outcome: MachineOutcome) throws -> ([Finding], String?) {
    guard let picture = outcome.picture else {
      return (
        [Finding(check: "display", place: "port \(boot.display ?? 0)", "no VNC server answered")],
        nil
      )
    }
    let file = evidence.appending("screen.png")
    try writeAtomically(picture.png, to: file)
    if picture.isBlank {
      return (
        [
          Finding(
            check: "display", place: "port \(boot.display ?? 0)",
            "the display of \(picture.width)×\(picture.height) is blank",
            hint: "look at '\(file)'; [boot] show says what shall be on it")
        ], nil
      )
    }
    return ([], "\(picture.width)×\(picture.height), kept as \(file.lastComponent?.string ?? "")")
  }

  private func test(_ outcome: MachineOutcome, _ index: Int) throws -> ([Finding], String?) {
    let test = tests[index]
    guard let result = outcome.tests[index] else {
      return (
        [
          Finding(
            check: "test: \(test.name)", "did not run: \(outcome.cause ?? "the machine ended")")
        ],
        nil
      )
    }
    let name = String(test.name.map { $0.isLetter || $0.isNumber ? $0 : "-" }.prefix(80))
    try writeAtomically(result.output, to: evidence.appending("boot-test-\(name).out"))
    return (result.findings(of: test), "\(result.ending)")
  }

  private func growth(_ outcome: MachineOutcome) -> ([Finding], String?) {
    let size = "\(tenths(Double(outcome.growth) / 1_048_576)) MiB"
    guard tests.isEmpty, boot.show.isEmpty else {
      // What tests write is not what a boot writes.
      return ([], "\(size), tests included")
    }
    guard outcome.growth > boot.growth else { return ([], size) }
    return (
      [
        Finding(
          check: "growth",
          "a boot wrote \(size) to the machine's disk, more than \(boot.growth >> 20) MiB",
          hint: "see which services write; each clone pays for it")
      ], size
    )
  }

  private func clones(_ outcome: MachineOutcome, _ second: MachineOutcome?) throws -> (
    [Finding], String?
  ) {
    guard let second, second.ready != nil else {
      return (
        [
          Finding(
            check: "clones",
            "the second clone did not come up: \(second?.cause ?? "it could not be started")")
        ], nil
      )
    }
    let findings = outcome.identity.sorted { $0.key < $1.key }.compactMap {
      name, value -> Finding? in
      guard !value.isEmpty, value != Self.hashOfNothing, second.identity[name] == value
      else { return nil }
      return Finding(
        check: "clones", place: name, "two clones of the image have the same one",
        hint: "it is made before the image is, or not at all")
    }
    let same = outcome.identity.keys.sorted().joined(separator: ", ")
    return (findings, findings.isEmpty ? "\(same) differ" : nil)
  }

  /// The SHA-256 of nothing: there are no such files.
  private static let hashOfNothing =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
}

/// With one digit after the point.
private func tenths(_ value: Double) -> String {
  let tenths = Int(value * 10 + 0.5)
  return "\(tenths / 10).\(tenths % 10)"
}
