extension Manifest {
  /// What the image expects of the machine that boots it.
  public struct Boot: Sendable, Equatable, Codable {
    /// The number of the agreement between image and controller.
    public var contract: Int
    public var kernel: Kernel
    public var kernelArgs: [String]
    public var `init`: String
    public var devices: [Device]
    public var resources: Resources?
    public var ready: Ready?
    /// Files that each machine gets of its own at its first boot.
    public var perInstance: [String]

    public init(
      contract: Int = 1, kernel: Kernel = Kernel(), kernelArgs: [String], init path: String,
      devices: [Device], resources: Resources? = nil, ready: Ready? = nil, perInstance: [String]
    ) {
      self.contract = contract
      self.kernel = kernel
      self.kernelArgs = kernelArgs
      self.`init` = path
      self.devices = devices
      self.resources = resources
      self.ready = ready
      self.perInstance = perInstance
    }

    /// A Firecracker machine with the image as its root disk and one network interface.
    public static let standard = Boot(
      kernelArgs: [
        "console=ttyS0", "reboot=k", "panic=1", "root=/dev/vda", "rw", "rootfstype=ext4",
      ],
      init: "/sbin/init",
      devices: [
        Device(type: "virtio-blk", role: "rootfs", guestPath: "/dev/vda", required: true),
        Device(type: "virtio-net", role: "uplink", required: true),
        Device(type: "virtio-vsock", role: "control", required: false),
        Device(type: "virtio-rng", role: "entropy", required: false),
      ],
      perInstance: ["/etc/machine-id", "/etc/hostname", "/etc/ssh/ssh_host_*"])
  }

  /// The kernel comes from the host; these are the image's demands on it.
  public struct Kernel: Sendable, Equatable, Codable {
    public var providedBy = "host"
    public var minVersion: String
    public var requiredConfig: [String]

    public init(minVersion: String = "5.10", requiredConfig: [String] = Kernel.usualConfig) {
      self.minVersion = minVersion
      self.requiredConfig = requiredConfig
    }

    public static let usualConfig = [
      "CONFIG_CGROUPS=y", "CONFIG_DEVTMPFS=y", "CONFIG_EXT4_FS=y", "CONFIG_TMPFS=y",
      "CONFIG_VIRTIO_BLK=y", "CONFIG_VIRTIO_MMIO=y", "CONFIG_VIRTIO_NET=y", "CONFIG_VSOCKETS=y",
    ]
  }

  public struct Device: Sendable, Equatable, Codable {
    public var type: String
    public var role: String
    public var guestPath: String?
    public var required: Bool

    public init(type: String, role: String, guestPath: String? = nil, required: Bool) {
      self.type = type
      self.role = role
      self.guestPath = guestPath
      self.required = required
    }
  }

  public struct Resources: Sendable, Equatable, Codable {
    public var minMemoryMiB: Int
    public var minVcpus: Int
    /// The smallest processor, such as `x86-64-v2`.
    public var cpu: String?

    public init(minMemoryMiB: Int, minVcpus: Int, cpu: String? = nil) {
      self.minMemoryMiB = minMemoryMiB
      self.minVcpus = minVcpus
      self.cpu = cpu
    }
  }

  /// How a controller knows that a machine is up.
  public struct Ready: Sendable, Equatable, Codable {
    public var unit: String?
    public var probes: [Probe]
    public var timeoutSeconds: Int?

    public init(unit: String? = nil, probes: [Probe] = [], timeoutSeconds: Int? = nil) {
      self.unit = unit
      self.probes = probes
      self.timeoutSeconds = timeoutSeconds
    }
  }

  public struct Probe: Sendable, Equatable, Codable {
    public var type = "http"
    public var port: Int
    public var path: String
    public var expectStatus: Int

    public init(port: Int, path: String, expectStatus: Int = 200) {
      self.port = port
      self.path = path
      self.expectStatus = expectStatus
    }
  }

  /// A program of the fleet's own. `sha256` is of the program that was compiled, else of the source's
  /// list of files.
  public struct Agent: Sendable, Equatable, Codable {
    public var name: String
    public var version: String?
    public var path: String
    public var sha256: ContentHash
    /// What the program was compiled from: one hash over the sources of its product.
    public var source: ContentHash?
    /// The compiler, as it names itself.
    public var compiler: String?
    public var size: Int?
    public var protocolVersion: Int?
    public var unit: String?
    public var ports: [Port]?

    public init(
      name: String, version: String? = nil, path: String, sha256: ContentHash,
      source: ContentHash? = nil, compiler: String? = nil, size: Int? = nil,
      protocolVersion: Int? = nil, unit: String? = nil, ports: [Port]? = nil
    ) {
      self.name = name
      self.version = version
      self.path = path
      self.sha256 = sha256
      self.source = source
      self.compiler = compiler
      self.size = size
      self.protocolVersion = protocolVersion
      self.unit = unit
      self.ports = ports
    }

    private enum CodingKeys: String, CodingKey {
      case name, version, path, sha256, source, compiler, size, unit, ports
      case protocolVersion = "protocol"
    }
  }

  public struct Port: Sendable, Equatable, Codable {
    public var port: Int
    public var transport: String
    public var purpose: String

    public init(port: Int, transport: String = "tcp", purpose: String) {
      self.port = port
      self.transport = transport
      self.purpose = purpose
    }

    private enum CodingKeys: String, CodingKey {
      case port, purpose
      case transport = "protocol"
    }
  }

  /// A systemd unit that the recipe touched.
  public struct Unit: Sendable, Equatable, Codable {
    public enum State: String, Sendable, Codable { case enabled, disabled, masked, `static` }

    public var name: String
    public var sha256: ContentHash?
    public var state: State

    public init(name: String, sha256: ContentHash? = nil, state: State) {
      self.name = name
      self.sha256 = sha256
      self.state = state
    }
  }

  /// A command line tool that users of the image call by name.
  public struct CLI: Sendable, Equatable, Codable {
    public var name: String
    public var package: String
    public var version: String
    public var path: String
    /// Whether it talks to a terminal.
    public var tty: Bool

    public init(name: String, package: String, version: String, path: String, tty: Bool) {
      self.name = name
      self.package = package
      self.version = version
      self.path = path
      self.tty = tty
    }
  }
}
