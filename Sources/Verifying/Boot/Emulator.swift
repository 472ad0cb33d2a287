internal import Content
internal import Model
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// The words that start QEMU for an image.
struct Emulator: Sendable {
  var boot: Recipe.Boot
  var kernel: FilePath
  var initrd: FilePath
  var acceleration: Acceleration
  /// A folder of the machine's own: its disk's layer, console and control files.
  var folder: FilePath
  /// Forwarded ports: of this machine's loopback → of the guest.
  var ports: [(host: UInt16, guest: UInt16)]
  var token: String

  static let program = "qemu-system-x86_64"
  static let imageProgram = "qemu-img"

  var overlay: FilePath { folder.appending("disk.qcow2") }
  var console: FilePath { folder.appending("console.log") }
  var control: FilePath { folder.appending("control.log") }

  var words: [String] {
    let forwards = ports.map { ",hostfwd=tcp:127.0.0.1:\($0.host)-:\($0.guest)" }.joined()
    let accelerator = acceleration == .kvm ? ["-accel", "kvm"] : ["-accel", "tcg,thread=single"]
    return [
      "-M", "q35,usb=off", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
    ]
      + accelerator
      + ["-cpu", processor, "-smp", "1", "-m", "\(boot.memory >> 20)"]
      + ["-kernel", kernel.string, "-initrd", initrd.string]
      + [
        "-append",
        "\(boot.commandLine) golden.mode=verify golden.token=\(token) systemd.show_status=yes",
      ]
      + ["-drive", "file=\(overlay),format=qcow2,if=none,id=root,cache=unsafe"]
      + ["-device", "virtio-blk-pci,drive=root"]
      + [
        "-netdev", "user,id=net,restrict=on\(forwards)", "-device",
        "virtio-net-pci,netdev=net,romfile=",
      ]
      + ["-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng"]
      + ["-chardev", "file,id=console,path=\(console)", "-serial", "chardev:console"]
      + ["-device", "virtio-serial-pci"]
      + ["-chardev", "stdio,id=terminal,signal=off", "-device", "virtconsole,chardev=terminal"]
      + [
        "-chardev", "file,id=control,path=\(control)", "-device",
        "virtserialport,chardev=control,name=golden.control",
      ]
  }

  /// QEMU's name of the smallest processor of a level of the x86-64 psABI.
  private var processor: String {
    switch boot.processor {
    case "x86-64", "x86-64-v1": "qemu64"
    case "x86-64-v2": "Nehalem"
    case "x86-64-v3": "Haswell-noTSX"
    case "x86-64-v4": "Skylake-Server-noTSX-IBRS"
    default: boot.processor
    }
  }

  /// Makes the layer that takes what the machine writes; the image itself is only read.
  func makeOverlay(on disk: FilePath) throws {
    guard let program = HostTool.path(Self.imageProgram) else {
      throw NotJudged("there is no '\(Self.imageProgram)' here")
    }
    // In pieces of a block, so that it is as large as what was written.
    let result = try HostTool.run([
      program, "create", "-q", "-f", "qcow2", "-o", "cluster_size=4096", "-F", "raw", "-b",
      disk.string, overlay.string,
    ])
    guard result.status == 0 else { throw ToolFailure(program: program, reason: result.text) }
  }

  /// How much of the host's disk the layer takes.
  var overlaySize: Int {
    var facts = stat()
    return stat(overlay.string, &facts) == 0 ? Int(facts.st_blocks) * 512 : 0
  }
}
