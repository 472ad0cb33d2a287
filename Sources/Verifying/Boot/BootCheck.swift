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
  /// Names of checks to leave out.
  var skipping: Set<String>

  public init(
    disk: FilePath, recipe: Recipe, boot: Recipe.Boot, media: BootMedia,
    acceleration: Acceleration, evidence: FilePath, scratch: FilePath, skipping: Set<String> = []
  ) {
    self.skipping = skipping
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
  ///
  /// A machine that stalls with KVM is tried once more without it.
  public func results(onResult: (CheckResult) -> Void = { _ in }) async throws -> [CheckResult] {
    let begin = ContinuousClock.now
    let machines: Result<Machines, any Error>
    do { machines = .success(try await onThread { try run(shouldStop: $0) }) } catch {
      if error is CancellationError { throw error }
      machines = .failure(error)
    }
    if acceleration == .kvm, case .success(let stalled) = machines, stalled.first.isStalled {
      var patient = self
      patient.acceleration = .emulated
      return try await patient.results(onResult: onResult)
    }
    return try judge(machines, seconds: seconds(.now - begin), onResult)
  }

  private struct Machines: Sendable {
    var first: MachineOutcome
    var second: MachineOutcome?
  }

  private func judge(
    _ machines: Result<Machines, any Error>, seconds time: Double, _ onResult: (CheckResult) -> Void
  ) throws -> [CheckResult] {
    var results: [CheckResult] = []
    func add(
      _ name: String, _ body: (MachineOutcome) throws -> (findings: [Finding], remark: String?)
    ) throws {
      var result = try CheckResult.timed(name, .vm) {
        if skipping.contains(name) { throw NotJudged("--skip-check was given") }
        return try body(try machines.get().first)
      }
      if name == "boot" { result.seconds = time }
      onResult(result)
      results.append(result)
    }
    try add("boot", boot)
    guard case .success(let ran) = machines, ran.first.ready != nil else { return results }
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
    for name in ran.first.ownTests.keys.sorted() {
      try add("verify.d: \(name)") { try self.ownTest($0, name) }
    }
    try add("growth", growth)
    try add("poweroff", poweroff)
    if boot.clones { try add("clones") { try self.clones($0, ran.second) } }
    return results
  }

  private func run(shouldStop: @escaping @Sendable () -> Bool) throws -> Machines {
    let slots = Mutex<[Int: Result<MachineOutcome, any Error>]>([:])
    let count = boot.clones ? 2 : 1
    DispatchQueue.concurrentPerform(iterations: count) { index in
      let result = Result { try machine(index, shouldStop) }
      slots.withLock { $0[index] = result }
    }
    let results = slots.withLock { $0 }
    guard let first = results[0] else { throw NotJudged("no machine ran") }
    // That the second is missing, the comparison says.
    return Machines(first: try first.get(), second: try? results[1]?.get())
  }

  private func machine(
    _ index: Int, _ shouldStop: @escaping @Sendable () -> Bool
  ) throws -> MachineOutcome {
    let folder = scratch.appending("machine-\(index)")
    try makeFolder(folder)
    var guests: [UInt16] = []
    if index == 0 {
      guests = Set(boot.health.compactMap { UInt16($0.dropFirst(8).prefix { $0 != "/" }) }).sorted()
      if boot.display != nil { guests.append(15900) }
    }
    let own = index == 0 ? tests : []
    var boot = boot
    if index > 0 { (boot.display, boot.show) = (nil, []) }
    let initrd = folder.appending("initrd")
    let probe = Probe(boot: boot, tests: own, users: recipe.users, slowness: slowness)
    try writeAtomically(media.initrd(probe: probe), to: initrd)
    var emulator = Emulator(
      boot: boot, kernel: media.kernel, initrd: media.initrd ?? initrd, acceleration: acceleration,
      folder: folder, ports: [], token: "verify-0123456789abcdef")
    try emulator.makeOverlay(on: disk)
    defer { keepEvidence(of: emulator, index) }
    let limit =
      acceleration == .emulated ? boot.timeout : max(10, boot.timeout / 10)
    // Between our look and QEMU's, another program may take a port: that says nothing of the image.
    for _ in 0..<4 {
      emulator.ports = Array(zip(try freePorts(guests.count), guests))
      let outcome = try MachineRun(
        emulator, tests: own, isFirst: index == 0, limit: .seconds(limit), shouldStop: shouldStop
      ).run()
      if !outcome.lacksPort { return outcome }
    }
    throw NotJudged("other programs take each port before QEMU can")
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
    if !outcome.shown.isEmpty {
      try writeAtomically(Array(outcome.shown.utf8), to: evidence.appending("show.out"))
    }
    if picture.isBlank {
      let said = outcome.shown.split(separator: "\n").suffix(4).map { "    \($0)" }
      return (
        [
          Finding(
            check: "display", place: "port \(boot.display ?? 0)",
            "the display of \(picture.width)×\(picture.height) is blank"
              + (said.isEmpty
                ? "" : ", and '\(boot.show[0])' said:\n" + said.joined(separator: "\n")),
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

  private func ownTest(_ outcome: MachineOutcome, _ name: String) throws -> ([Finding], String?) {
    guard let result = outcome.ownTests[name] else { throw NotJudged("it did not run") }
    try writeAtomically(result.output, to: evidence.appending("verify.d-\(name).out"))
    guard result.ending != .exited(0) else { return ([], nil) }
    return (
      [
        Finding(
          check: "verify.d: \(name)", place: "/usr/lib/golden/verify.d/\(name)",
          "\(result.ending); it printed: \(result.excerpt)")
      ], nil
    )
  }

  private func growth(_ outcome: MachineOutcome) throws -> ([Finding], String?) {
    guard let growth = outcome.growth else { throw NotJudged("the machine was never idle") }
    let size = "\(tenths(Double(growth) / 1_048_576)) MiB"
    guard growth > boot.growth else { return ([], size) }
    return (
      [
        Finding(
          check: "growth",
          "a boot wrote \(size) to the machine's disk, more than \(tenths(Double(boot.growth) / 1_048_576)) MiB",
          hint: "see which services write; each clone pays for it")
      ], size
    )
  }

  private func poweroff(_ outcome: MachineOutcome) throws -> ([Finding], String?) {
    guard outcome.isDone else { throw NotJudged("the machine did not come so far") }
    guard !outcome.isOff else { return ([], nil) }
    return (
      [
        Finding(
          check: "poweroff", "the machine did not switch itself off in time",
          hint: "the end of '\(evidence.appending("console.log"))' has what it waits for")
      ], nil
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

/// Runs blocking work on a thread of its own; when the task is cancelled, the work is told.
private func onThread<Value: Sendable>(
  _ work: @escaping @Sendable (_ shouldStop: @escaping @Sendable () -> Bool) throws -> Value
) async throws -> Value {
  try Task.checkCancellation()
  let isCancelled = Flag()
  return try await withTaskCancellationHandler {
    try await withCheckedThrowingContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(with: Result { try work { isCancelled.isSet } })
      }
    }
  } onCancel: {
    isCancelled.set()
  }
}

private final class Flag: Sendable {
  private let value = Mutex(false)
  var isSet: Bool { value.withLock { $0 } }
  func set() { value.withLock { $0 = true } }
}

/// With one digit after the point.
private func tenths(_ value: Double) -> String {
  let tenths = Int(value * 10 + 0.5)
  return "\(tenths / 10).\(tenths % 10)"
}
