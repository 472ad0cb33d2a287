internal import AgentHTTP

/// One virtual machine, as the table `vms` has it.
struct Machine: Sendable, Equatable {
  /// `starting`: its process is to be started, or runs and has not answered yet; `ready`: its agent
  /// answered; `ending`: it is being removed, and whoever finds it so removes it.
  enum State: String, Sendable { case starting, ready, ending }

  var id: String
  var role: String
  var image: String
  var version: String
  var state: State
  /// A number that no other machine has: ports and addresses follow from it.
  var slot: Int
  var token: String
  /// `host:port` of its agent.
  var address: String
  var ip: String
  var created: String

  init?(_ row: Database.Row) {
    guard let id = row["id"], let role = row["role"], let image = row["image"],
      let version = row["version"], let state = row["state"].flatMap(State.init(rawValue:)),
      let slot = row["slot"].flatMap({ Int($0) }), let token = row["token"],
      let address = row["address"], let ip = row["ip"], let created = row["created_at"]
    else { return nil }
    (self.id, self.role, self.image, self.version) = (id, role, image, version)
    (self.state, self.slot, self.token, self.address) = (state, slot, token, address)
    (self.ip, self.created) = (ip, created)
  }

  init(
    id: String, role: String, image: String, version: String, slot: Int, token: String,
    address: String, ip: String, created: String
  ) {
    (self.id, self.role, self.image, self.version) = (id, role, image, version)
    (self.slot, self.token, self.address, self.ip) = (slot, token, address, ip)
    self.created = created
    state = .starting
  }

  /// What the API shows: no token.
  var json: JSON {
    [
      "id": .string(id), "role": .string(role), "image": .string(image),
      "version": .string(version), "state": .string(state.rawValue),
      "address": .string(address), "vm_ip": .string(ip), "created_at": .string(created),
    ]
  }
}

extension Database {
  func machines() throws -> [Machine] {
    try run("SELECT * FROM vms ORDER BY created_at, id").compactMap(Machine.init)
  }

  func machine(_ id: String) throws -> Machine? {
    try run("SELECT * FROM vms WHERE id = ?", id).first.flatMap(Machine.init)
  }

  func add(_ machine: Machine, isClaimed: Bool) throws {
    try run(
      "INSERT INTO vms VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", machine.id, machine.role,
      machine.image, machine.version, machine.state.rawValue, String(machine.slot),
      machine.token, machine.address, machine.ip, machine.created, isClaimed ? "1" : "0")
  }

  /// Machines that nobody uses.
  func idleMachines(of role: String) throws -> [Machine] {
    try run("SELECT * FROM vms WHERE role = ? AND claimed = 0 ORDER BY created_at, id", role)
      .compactMap(Machine.init)
  }

  /// Takes an idle machine; false when someone was faster.
  func claim(_ id: String) throws -> Bool {
    try !run("UPDATE vms SET claimed = 1 WHERE id = ? AND claimed = 0 RETURNING id", id).isEmpty
  }

  /// Says that a machine answered; one that is being removed meanwhile is removed all the same.
  func setReady(_ id: String) throws {
    try run("UPDATE vms SET state = 'ready' WHERE id = ? AND state = 'starting'", id)
  }

  /// Says that a machine is being removed: should we die meanwhile, our successor goes on with it.
  func setEnding(_ id: String) throws {
    try run("UPDATE vms SET state = 'ending', claimed = 1 WHERE id = ?", id)
  }

  /// The same for an idle machine; false when someone took it meanwhile.
  func retire(_ id: String) throws -> Bool {
    try !run(
      "UPDATE vms SET state = 'ending', claimed = 1 WHERE id = ? AND claimed = 0 RETURNING id", id
    ).isEmpty
  }

  func removeMachine(_ id: String) throws { try run("DELETE FROM vms WHERE id = ?", id) }
}
