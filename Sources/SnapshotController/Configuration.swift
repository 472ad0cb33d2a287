internal import AgentHTTP
internal import SystemPackage

/// What the controller is told by its configuration, a JSON file. Format: `docs/controller.md`.
struct Configuration: Sendable {
  /// A kind of machine: which image, which driver, how many stand ready.
  struct Role: Sendable {
    var name: String
    var image: String
    var driver: String
    /// Machines that are booted before anybody asks.
    var ready: Int
    /// Values of the driver's words, such as `memory`.
    var values: [String: String]
  }

  /// A virtual machine monitor as data: its command and files, with words such as `${disk}` in them.
  struct Driver: Sendable {
    var command: [String]
    /// Files of the machine's folder, name → text.
    var files: [String: String]
    /// The machine's address for the controller: `127.0.0.1:${port}`.
    var address: String
    /// Its address as `vm_ip` shows it.
    var ip: String
    var clone: String
    var values: [String: String]
  }

  var store: FilePath
  var state: FilePath
  var keys: [String]
  /// The secret key that lets a rollback move a signed pointer; nil: the controller goes back alone.
  var secret: String?
  var host = "127.0.0.1"
  var port = 8090
  var tokenFile: String
  var roles: [Role]
  var drivers: [String: Driver]
  var firstPort = 20_000
  /// Seconds in which a machine must answer.
  var readyTime = 60
  var badBoots = 2
  var boots = 4

  /// - Throws: `FaultyOptions` that names the member at fault.
  init(json bytes: [UInt8]) throws(FaultyOptions) {
    let json: JSON
    do { json = try JSON(parsing: bytes) } catch {
      throw FaultyOptions("the configuration is no JSON: \(error)")
    }
    func text(_ key: String) throws(FaultyOptions) -> String {
      guard let text = json[key]?.string, !text.isEmpty else {
        throw FaultyOptions("the configuration needs '\(key)', a text")
      }
      return text
    }
    func number(_ key: String, _ standard: Int) throws(FaultyOptions) -> Int {
      guard let value = json[key] else { return standard }
      guard let number = value.integer, number > 0 else {
        throw FaultyOptions("'\(key)' must be a whole number above zero")
      }
      return number
    }
    store = FilePath(try text("store"))
    state = FilePath(try text("state"))
    tokenFile = try text("token_file")
    keys = json["keys"]?.array?.compactMap(\.string) ?? []
    secret = json["secret_key"]?.string
    if let listen = json["listen"]?.string { (host, port) = try Options.address(listen) }
    firstPort = try number("first_port", firstPort)
    readyTime = try number("ready_seconds", readyTime)
    badBoots = try number("bad_boots", badBoots)
    boots = try number("boots", boots)
    drivers = Self.builtIn
    for (name, value) in json["drivers"]?.object ?? [:] { drivers[name] = Driver(value) }
    roles = []
    for (name, value) in (json["roles"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
      guard let image = value["image"]?.string else {
        throw FaultyOptions("role '\(name)' needs 'image', the name of an image")
      }
      let driver = value["driver"]?.string ?? "qemu"
      guard drivers[driver] != nil else {
        throw FaultyOptions("role '\(name)' names an unknown driver '\(driver)'")
      }
      roles.append(
        Role(
          name: name, image: image, driver: driver, ready: value["ready"]?.integer ?? 0,
          values: words(value["values"])))
    }
    guard !roles.isEmpty else { throw FaultyOptions("the configuration needs 'roles'") }
  }

  func role(_ name: String) -> Role? { roles.first { $0.name == name } }

  /// QEMU with its user network, and Firecracker on a tap device that the host has set up.
  static let builtIn = [
    "qemu": Driver(
      command: [
        "qemu-system-x86_64", "-machine", "q35,accel=${accel}", "-cpu", "${cpu}", "-smp",
        "${cpus}", "-m", "${memory}", "-nodefaults", "-display", "none", "-no-reboot", "-serial",
        "file:${folder}/console.log", "-kernel", "${kernel}", "-initrd", "${initrd}", "-append",
        "${cmdline}", "-drive", "file=${disk},format=${format},if=virtio,discard=unmap",
        "-netdev", "user,id=net,hostfwd=tcp:127.0.0.1:${port}-:${agent_port}", "-device",
        "virtio-net-pci,netdev=net", "-device", "virtio-rng-pci",
      ], files: [:], address: "127.0.0.1:${port}", ip: "127.0.0.1", clone: "overlay",
      values: [
        "accel": "kvm:tcg", "cpu": "max", "cpus": "1", "memory": "2048", "agent_port": "8080",
        "cmdline":
          "console=ttyS0 root=/dev/vda rw panic=1 quiet golden.image=${version} golden.token=${token}",
      ]),
    "firecracker": Driver(
      command: ["firecracker", "--no-api", "--id", "${id}", "--config-file", "${folder}/vm.conf"],
      files: [
        "vm.conf": """
        {"boot-source": {"kernel_image_path": "${kernel}", "boot_args": "${cmdline}"},
         "drives": [{"drive_id": "root", "path_on_host": "${disk}", "is_root_device": true,
                     "is_read_only": false}],
         "machine-config": {"vcpu_count": ${cpus}, "mem_size_mib": ${memory}},
         "network-interfaces": [{"iface_id": "eth0", "host_dev_name": "tap${slot}",
                                 "guest_mac": "06:00:ac:10:${slot_hex}:02"}]}

        """
      ], address: "172.16.${slot}.2:${agent_port}", ip: "172.16.${slot}.2", clone: "copy",
      values: [
        "cpus": "1", "memory": "2048", "agent_port": "8080",
        "cmdline":
          "console=ttyS0 reboot=k panic=1 root=/dev/vda rw golden.image=${version} golden.token=${token} ip=172.16.${slot}.2::172.16.${slot}.1:255.255.255.0::eth0:off",
      ]),
  ]
}

extension Configuration.Driver {
  fileprivate init(_ json: JSON) {
    command = json["command"]?.array?.compactMap(\.string) ?? []
    files = words(json["files"])
    address = json["address"]?.string ?? "127.0.0.1:${port}"
    ip = json["ip"]?.string ?? "127.0.0.1"
    clone = json["clone"]?.string ?? "copy"
    values = words(json["values"])
  }
}

/// The members of an object that are texts or numbers, as texts.
private func words(_ json: JSON?) -> [String: String] {
  (json?.object ?? [:]).compactMapValues { value in
    value.string ?? value.integer.map(String.init)
  }
}

/// Puts values in the place of `${name}`; values may hold words themselves. Unknown words go.
func filled(_ text: String, _ values: [String: String]) -> String {
  var text = text
  // Three rounds: a command line that names a version that names nothing more.
  for _ in 0..<3 {
    for (name, value) in values where text.contains("${\(name)}") {
      text = text.replacing("${\(name)}", with: value)
    }
  }
  while let start = text.firstRange(of: "${"),
    let end = text[start.lowerBound...].firstIndex(of: "}")
  {
    text.removeSubrange(start.lowerBound...end)
  }
  return text
}
