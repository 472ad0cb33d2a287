internal import AgentHTTP
internal import Glibc
internal import Model
internal import SnapshotClient
internal import SystemPackage

extension Fleet {
  /// What came of a boot.
  private enum Outcome {
    case ready
    case bad(String)
    /// No verdict on the image.
    case hostFault(String)
    /// Someone removed the machine meanwhile.
    case gone
  }

  /// Waits until the machine's agent answers, and tells the client how the boot ended.
  func awaitHealth(of machine: Machine) {
    let outcome = outcome(of: machine)
    do {
      guard try database.machine(machine.id) != nil else { return }
      var facts: [String: JSON] = ["vm": .string(machine.id), "version": .string(machine.version)]
      switch outcome {
      case .gone: return
      case .ready:
        try database.setReady(machine.id)
        pauses.worked(machine.role)
        metrics.count("good", machine.role)
        log.write("ready", facts)
        try report(.good, of: machine)
      case .bad(let reason):
        try remove(machine.id)
        metrics.count("bad", machine.role)
        facts["reason"] = .string(reason)
        log.write("bad boot", facts)
        try report(.bad(reason: reason), of: machine)
      case .hostFault(let reason):
        try remove(machine.id)
        metrics.count("host_fault", machine.role)
        pauses.failed(machine.role)
        facts["reason"] = .string(reason)
        log.write("boot failed on this host", facts)
      }
    } catch {
      log.write("no verdict", ["vm": .string(machine.id), "error": .string("\(error)")])
    }
  }

  private func outcome(of machine: Machine) -> Outcome {
    let folder = folder(of: machine.id)
    let deadline = ContinuousClock.now + .seconds(configuration.readyTime)
    while ContinuousClock.now < deadline {
      // A database that fails here fails again where the outcome is written down.
      guard (try? database.machine(machine.id)) != nil else { return .gone }
      if call("GET", "/health", at: machine.address, token: nil, limit: 2)?.status == 200 {
        return .ready
      }
      if !VirtualMachineProcess.isRunning(folder) { return ended(folder) }
      usleep(100_000)
    }
    return .bad("no agent answered within \(configuration.readyTime) s")
  }

  /// What the end of a machine's process says.
  private func ended(_ folder: FilePath) -> Outcome {
    switch VirtualMachineProcess.ending(of: folder) {
    case .finished: return .bad("its process ended before an agent answered")
    case .broken(let how):
      return .hostFault("the machine's process ended with \(how): \(lastWords(in: folder))")
    case nil: return .hostFault("the machine's process ended while no controller was there")
    }
  }

  /// The last line that the machine's process printed.
  private func lastWords(in folder: FilePath) -> String {
    let text = contents(of: folder.appending("vmm.log").string, limit: 65536) ?? []
    return text.split(separator: 10).last.map { String(decoding: $0.prefix(400), as: UTF8.self) }
      ?? "it said nothing"
  }

  private func report(_ boot: Boot, of machine: Machine) throws {
    guard let version = Version(machine.version), let client = clients[machine.image] else {
      return
    }
    guard case .condemned(let consequence) = try client.report(boot, of: version, at: now())
    else { return }
    metrics.count("rollback", machine.role)
    log.write(
      "rolled back",
      [
        "image": .string(machine.image), "version": .string(machine.version),
        "consequence": .string("\(consequence)"),
      ])
  }
}
