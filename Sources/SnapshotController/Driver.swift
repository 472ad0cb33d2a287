internal import AgentHTTP
internal import SnapshotClient

/// A virtual machine monitor as data: its command and files, with words such as `${disk}` in them.
struct Driver: Sendable {
  var command: [String]
  /// Files of the machine's folder on this host, name → text.
  var files: [String: String] = [:]
  /// Files that are put into the machine's disk.
  var inject: [FileTemplate] = []
  /// The machine's address for the controller: `127.0.0.1:${port}`.
  var address = "127.0.0.1:${port}"
  /// Its address as `vm_ip` shows it.
  var ip = "127.0.0.1"
  var clone = "copy"
  var values: [String: String] = [:]
  /// Words whose values are files of this host that must be there.
  var needs: [String] = []

  /// QEMU with its user network, and Firecracker on a tap device that the host has set up.
  static let builtIn = [
    "qemu": Driver(
      command: [
        "qemu-system-x86_64", "-M", "q35,usb=off", "-accel", "${accel}", "-cpu", "${cpu}", "-smp",
        "${cpus}", "-m", "${memory}", "-nodefaults", "-no-user-config", "-display", "none",
        "-no-reboot", "-serial", "file:${folder}/console.log", "-kernel", "${kernel}", "-initrd",
        "${initrd}", "-append", "${cmdline}", "-drive",
        "file=${disk},format=${format},if=none,id=root,discard=unmap", "-device",
        "virtio-blk-pci,drive=root", "-netdev",
        "user,id=net,hostfwd=tcp:127.0.0.1:${port}-:${agent_port}", "-device",
        "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci",
      ],
      inject: own(
        network: """
          Address=10.0.2.15/24
          Gateway=10.0.2.2
          DNS=10.0.2.3
          """),
      clone: "overlay",
      values: [
        "accel": "kvm", "cpu": "max", "cpus": "1", "memory": "2048", "agent_port": "8080",
        "cmdline":
          "console=ttyS0 root=/dev/vda rw panic=1 reboot=k quiet golden.image=${version}",
      ], needs: ["kernel", "initrd"]),
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
      ],
      inject: own(
        network: """
          Address=172.16.${slot}.2/24
          Gateway=172.16.${slot}.1
          DNS=${dns}
          """),
      address: "172.16.${slot}.2:${agent_port}", ip: "172.16.${slot}.2",
      values: [
        "cpus": "1", "memory": "2048", "agent_port": "8080", "dns": "172.16.${slot}.1",
        "cmdline": "console=ttyS0 reboot=k panic=1 root=/dev/vda rw golden.image=${version}",
      ], needs: ["kernel"]),
  ]

  /// What every machine has of its own: the token, readable by the agents' user, network and name.
  private static func own(network: String) -> [FileTemplate] {
    [
      FileTemplate(
        path: "/etc/golden/agent-token", content: "${token}\n", mode: 0o400, owner: 1000,
        group: 1000),
      // Goes before every file of the image, as names are compared.
      FileTemplate(
        path: "/etc/systemd/network/10-machine.network",
        content: "[Match]\nType=ether\n\n[Network]\n\(network)\n"),
      FileTemplate(path: "/etc/hostname", content: "${id}\n"),
    ]
  }
}

extension Driver {
  /// - Throws: `FaultyOptions` that names the driver.
  init(_ json: JSON, named name: String) throws(FaultyOptions) {
    try json.expectMembers(
      ["command", "files", "inject", "address", "ip", "clone", "values", "needs"],
      of: "driver '\(name)'")
    self.init(command: json["command"]?.array?.compactMap(\.string) ?? [])
    guard !command.isEmpty else {
      throw FaultyOptions("driver '\(name)' needs 'command', a list of words")
    }
    files = words(json["files"])
    inject = try FileTemplate.all(json["inject"], of: "driver '\(name)'")
    if let text = json["address"]?.string { address = text }
    if let text = json["ip"]?.string { ip = text }
    if let text = json["clone"]?.string { clone = text }
    guard CloneKind(rawValue: clone) != nil else {
      throw FaultyOptions("driver '\(name)': 'clone' is one of reflink, copy, overlay")
    }
    values = words(json["values"])
    needs = json["needs"]?.array?.compactMap(\.string) ?? []
  }
}

/// A file of a machine, with words in its text.
struct FileTemplate: Sendable {
  var path: String
  var content: String
  var mode: UInt16 = 0o644
  var owner: UInt32 = 0
  var group: UInt32 = 0

  /// Reads `{"/path": "text"}` or `{"/path": {"content", "mode", "owner", "group"}}`, sorted by path.
  static func all(_ json: JSON?, of place: String) throws(FaultyOptions) -> [FileTemplate] {
    var files: [FileTemplate] = []
    for (path, value) in (json?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
      guard let content = value.string ?? value["content"]?.string else {
        throw FaultyOptions("\(place): the file '\(path)' needs 'content', a text")
      }
      var file = FileTemplate(path: path, content: content)
      if let text = value["mode"]?.string {
        guard let mode = UInt16(text, radix: 8), mode <= 0o7777 else {
          throw FaultyOptions("\(place): 'mode' of '\(path)' must be octal, such as \"0400\"")
        }
        file.mode = mode
      }
      file.owner = UInt32(clamping: value["owner"]?.integer ?? 0)
      file.group = UInt32(clamping: value["group"]?.integer ?? value["owner"]?.integer ?? 0)
      files.append(file)
    }
    return files
  }

  func filled(_ values: [String: String]) -> InjectedFile {
    InjectedFile(
      path: path, content: Array(SnapshotController.filled(content, values).utf8), mode: mode,
      owner: owner, group: group)
  }
}
