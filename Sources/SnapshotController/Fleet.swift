internal import AgentHTTP
internal import Content
internal import Glibc
internal import Model
internal import Publishing
internal import SnapshotClient
internal import Synchronization
internal import SystemPackage

/// The machines of one controller: boots them from the release that is to be booted now, sees after
/// them, and takes them up again after its own restart.
///
/// What must outlive the controller is in the database before it is so in the world: a row, then a
/// folder, then a process. `takeUp` sets right what a killed controller left between two steps.
final class Fleet: Sendable {
  let configuration: Configuration
  let database: Database
  let log: AgentLog
  let metrics = Metrics()
  let clients: [String: SnapshotClient]
  /// Says that the state is ours, as long as it is open.
  private let lock: FileDescriptor
  let pauses = Pauses()
  /// Held while a slot is taken.
  private let slots = Mutex(())
  /// What was last said about each image's catalog, so that it is said once.
  private let troubles = Mutex<[String: String]>([:])

  init(_ configuration: Configuration, _ log: AgentLog) throws {
    self.configuration = configuration
    self.log = log
    umask(0o077)
    for folder in [configuration.state, configuration.state.appending("vms")] {
      guard mkdir(folder.string, 0o700) == 0 || errno == EEXIST else {
        throw HostFailure(doing: "make the folder '\(folder)'", Errno(rawValue: errno))
      }
    }
    lock = try Self.lock(configuration.state)
    database = try Database(configuration.state.appending("controller.db").string)
    let keys = try configuration.keys.map(Self.publicKey)
    let secret = try configuration.secret.map { try SigningKey(file: FilePath($0)) }
    var clients: [String: SnapshotClient] = [:]
    for role in configuration.roles where clients[role.image] == nil {
      clients[role.image] = try SnapshotClient(
        store: configuration.store, image: role.image,
        state: configuration.state.appending("\(role.image).json"), keys: keys,
        policy: BootPolicy(badBoots: configuration.badBoots, boots: configuration.boots),
        key: secret)
    }
    self.clients = clients
  }

  private static func publicKey(_ path: String) throws -> PublicKey {
    guard let bytes = contents(of: path, limit: 65536) else {
      throw FaultyOptions("cannot read the public key '\(path)'")
    }
    do { return try PublicKey(text: String(decoding: bytes, as: UTF8.self)) } catch {
      throw FaultyOptions("'\(path)': \(error)")
    }
  }

  /// - Throws: when another controller works with this state: both would boot and remove the same machines.
  private static func lock(_ state: FilePath) throws -> FileDescriptor {
    let file = try FileDescriptor.open(
      state.appending("lock"), .readWrite, options: [.create, .closeOnExec],
      permissions: [.ownerReadWrite])
    // One that was killed a moment ago may not be gone yet.
    for _ in 0..<40 {
      if flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 { return file }
      usleep(50_000)
    }
    throw StateInUse(folder: state)
  }

  func folder(of id: String) -> FilePath {
    configuration.state.appending("vms").appending(id)
  }

  /// Sets right what the last controller left: machines that run are taken up, all else goes.
  func takeUp() throws {
    // Files that it was writing: nobody else writes here.
    for name in try names(in: configuration.state) where name.hasSuffix(".part") {
      unlink(configuration.state.appending(name).string)
    }
    let running = VirtualMachineProcess.all()
    let vms = configuration.state.appending("vms")
    var known: Set<String> = []
    for machine in try database.machines() {
      let folder = folder(of: machine.id)
      if machine.state == .ending {
        try remove(machine.id)
        log.write("removed", ["vm": .string(machine.id), "version": .string(machine.version)])
        continue
      }
      if running[folder.string] == nil {
        try forget(machine.id)
        log.write("lost", ["vm": .string(machine.id), "version": .string(machine.version)])
        continue
      }
      known.insert(folder.string)
      log.write("taken up", ["vm": .string(machine.id), "version": .string(machine.version)])
      if machine.state == .starting { startThread { self.awaitHealth(of: machine) } }
    }
    let strays = Set(running.keys.filter { $0.hasPrefix(vms.string + "/") })
      .union(try names(in: vms).map { vms.appending($0).string })
    for folder in strays.subtracting(known).sorted() {
      VirtualMachineProcess.end(FilePath(folder))
      removeFolder(FilePath(folder))
    }
  }

  /// One look at everything: machines that ended, and those that should stand ready.
  func tend() throws {
    // The rows first: a machine that becomes ready while we look has a process by then.
    let machines = try database.machines()
    let running = VirtualMachineProcess.all()
    for machine in machines
    where machine.state == .ready && running[folder(of: machine.id).string] == nil {
      log.write("ended", ["vm": .string(machine.id)])
      try forget(machine.id)
    }
    try endStrays(running)
    for role in configuration.roles where role.ready > 0 && !pauses.isPaused(role.name) {
      guard let version = version(for: role.image) else { continue }
      let idle = try database.idleMachines(of: role.name)
      let fresh = idle.filter { $0.version == version }
      for _ in fresh.count..<max(fresh.count, role.ready) { boot(role, isClaimed: false) }
      // Idle machines of before go once the new ones answer, and more than were asked for, as a release that
      // is given up meanwhile makes; those in use stay.
      let ready = fresh.filter { $0.state == .ready }
      guard ready.count >= role.ready else { continue }
      let old = idle.filter { $0.version != version && $0.state == .ready }
      for machine in old + ready.dropFirst(role.ready) where try database.retire(machine.id) {
        try remove(machine.id)
      }
    }
  }

  /// Ends processes of machines that nobody knows of: no machine works unseen.
  private func endStrays(_ running: [String: [pid_t]]) throws {
    let vms = configuration.state.appending("vms").string + "/"
    for folder in running.keys.sorted() where folder.hasPrefix(vms) {
      // A row is there before the process and goes after it, so that one without a row is a stray.
      guard try database.machine(String(folder.dropFirst(vms.count))) == nil,
        VirtualMachineProcess.isRunning(FilePath(folder))
      else { continue }
      log.write("stray ended", ["folder": .string(folder)])
      VirtualMachineProcess.end(FilePath(folder))
      removeFolder(FilePath(folder))
    }
  }

  /// The version that new machines of an image get; nil, and a line in the log, while there is none.
  func version(for image: String) -> String? {
    do {
      let version = try clients[image]?.current(at: now()).version.description
      trouble(image, nil)
      return version
    } catch {
      trouble(image, "\(error)")
      return nil
    }
  }

  /// A ready machine that nobody uses, or a new one.
  func claim(_ role: Configuration.Role) -> Machine? {
    let version = version(for: role.image)
    // A database that fails here fails the boot below as well, which tells it.
    for machine in (try? database.idleMachines(of: role.name)) ?? []
    where machine.state == .ready && machine.version == version {
      if (try? database.claim(machine.id)) == true { return machine }
    }
    return boot(role, isClaimed: true)
  }

  /// Starts a machine; whether it becomes ready shows later.
  ///
  /// - Returns: nil when the host or the catalog did not let us: no fault of the image.
  @discardableResult
  func boot(_ role: Configuration.Role, isClaimed: Bool) -> Machine? {
    var started: Machine?
    do {
      guard let client = clients[role.image], let driver = configuration.drivers[role.driver]
      else { return nil }
      let lease = try client.lease(at: now())
      let machine = try newMachine(role, driver, lease.release.version, isClaimed: isClaimed)
      started = machine
      let folder = folder(of: machine.id)
      guard mkdir(folder.string, 0o700) == 0 else {
        throw HostFailure(doing: "make the folder '\(folder)'", Errno(rawValue: errno))
      }
      let disk = folder.appending("disk")
      var values = self.values(of: role, driver, machine)
      let kind = try client.clone(
        lease, to: disk, fallback: CloneKind(rawValue: driver.clone) ?? .copy,
        adding: (driver.inject + role.inject).map { $0.filled(values) }, at: now())
      values["disk"] = disk.string
      values["format"] = kind == .overlay ? "qcow2" : "raw"
      for (name, text) in driver.files.sorted(by: { $0.key < $1.key }) {
        try write(filled(text, values), to: folder.appending(name))
      }
      try VirtualMachineProcess.start(
        driver.command.map { filled($0, values) }.filter { !$0.isEmpty },
        lease: lease.descriptor, folder: folder)
      withExtendedLifetime(lease) {}
      log.write("booting", ["vm": .string(machine.id), "version": .string(machine.version)])
      startThread { self.awaitHealth(of: machine) }
      return machine
    } catch {
      log.write(
        "boot failed on this host", ["role": .string(role.name), "error": .string("\(error)")])
      metrics.count("host_fault", role.name)
      pauses.failed(role.name)
      // What stays is found by `takeUp`.
      if let started { try? remove(started.id) }
      return nil
    }
  }

  /// Ends a machine and all that is its own.
  func remove(_ id: String) throws {
    try database.setEnding(id)
    VirtualMachineProcess.end(folder(of: id))
    try forget(id)
  }

  private func forget(_ id: String) throws {
    VirtualMachineProcess.forget(folder(of: id))
    removeFolder(folder(of: id))
    try database.removeMachine(id)
  }

  private func newMachine(
    _ role: Configuration.Role, _ driver: Driver, _ version: Version,
    isClaimed: Bool
  ) throws -> Machine {
    try slots.withLock { _ in
      let taken = Set(try database.machines().map(\.slot))
      let slot = (1...).first { !taken.contains($0) } ?? 0
      var machine = Machine(
        id: "vm-\(randomText())", role: role.name, image: role.image,
        version: version.description, slot: slot, token: randomText() + randomText(),
        address: "", ip: "", created: wallTime())
      let values = self.values(of: role, driver, machine)
      machine.address = filled(driver.address, values)
      machine.ip = filled(driver.ip, values)
      try database.add(machine, isClaimed: isClaimed)
      return machine
    }
  }

  /// What stands for the words of a driver.
  private func values(
    of role: Configuration.Role, _ driver: Driver, _ machine: Machine
  ) -> [String: String] {
    var values = driver.values.merging(role.values) { $1 }
    let hex = String(machine.slot, radix: 16)
    values.merge([
      "id": machine.id, "folder": folder(of: machine.id).string, "version": machine.version,
      "image": machine.image, "token": machine.token, "slot": String(machine.slot),
      "slot_hex": hex.utf8.count == 1 ? "0\(hex)" : hex,
      "port": String(configuration.firstPort + machine.slot),
    ]) { $1 }
    return values
  }

  private func trouble(_ image: String, _ message: String?) {
    let isNews = troubles.withLock { troubles in
      defer { troubles[image] = message }
      return troubles[image] != message
    }
    metrics.set(image, isTrusted: message == nil)
    if isNews, let message {
      log.write("no image to boot", ["image": .string(image), "error": .string(message)])
    }
  }
}

/// Another controller works with the same state.
struct StateInUse: Error, CustomStringConvertible {
  var folder: FilePath
  var description: String { "another controller works with '\(folder)'" }
}

/// What the controller could not do on this host.
struct HostFailure: Error, CustomStringConvertible {
  var description: String

  init(doing: String, _ reason: any Error) { description = "cannot \(doing): \(reason)" }
}

func now() -> Timestamp { Timestamp(seconds: time(nil)) }

/// 64 random bits as text.
func randomText() -> String {
  let text = String(UInt64.random(in: 0...UInt64.max), radix: 36)
  return String(repeating: "0", count: 13 - text.utf8.count) + text
}

/// Removes a machine's folder, which holds files only; what stays is removed at the next start.
private func removeFolder(_ folder: FilePath) {
  for name in (try? names(in: folder)) ?? [] { unlink(folder.appending(name).string) }
  rmdir(folder.string)
}

private func write(_ text: String, to path: FilePath) throws {
  let file = try FileDescriptor.open(
    path, .writeOnly, options: [.create, .truncate, .closeOnExec],
    permissions: [.ownerReadWrite])
  try file.closeAfter { _ = try file.writeAll(text.utf8) }
}
