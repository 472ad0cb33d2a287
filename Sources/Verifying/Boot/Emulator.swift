internal import Content
internal import Model
public import SystemPackage
internal import Terminal

#if canImport(Glibc)
  internal import Glibc
#endif

/// How fast a machine runs here.
public enum Acceleration: String, Sendable, Equatable {
  case kvm
  /// The processor is emulated: everything takes about ten times as long.
  case emulated
}

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
    guard let program = HostTool.path("qemu-img") else {
      throw NotJudged("there is no qemu-img here")
    }
    let result = try HostTool.run([
      program, "create", "-q", "-f", "qcow2", "-F", "raw", "-b", disk.string, overlay.string,
    ])
    guard result.status == 0 else { throw ToolFailure(program: program, reason: result.text) }
  }

  /// How much of the host's disk the layer takes.
  var overlaySize: Int {
    var facts = stat()
    return stat(overlay.string, &facts) == 0 ? Int(facts.st_blocks) * 512 : 0
  }
}

/// Whether KVM runs the kernel that images are booted with.
///
/// A toy guest can run where a kernel hangs, so the kernel itself is started, without a disk: it says
/// its version within seconds, or this machine's KVM is of no use.
public func probeAcceleration(
  kernel: FilePath, isPatient: Bool = true
) -> (acceleration: Acceleration, remark: String) {
  guard access("/dev/kvm", R_OK | W_OK) == 0 else { return (.emulated, "no /dev/kvm for us here") }
  guard ["kvm_intel", "kvm_amd"].contains(where: { access("/sys/module/\($0)", F_OK) == 0 }) else {
    return (.emulated, "/dev/kvm is there, but no processor's module for it")
  }
  guard let program = HostTool.path(Emulator.program) else {
    return (.emulated, "there is no QEMU")
  }
  let words = [
    "-M", "q35", "-accel", "kvm", "-cpu", "host", "-m", "256", "-nodefaults", "-display", "none",
    "-no-reboot", "-kernel", kernel.string, "-append", "console=ttyS0 panic=-1", "-serial", "stdio",
  ]
  do {
    let child = try Child.start(
      Command(program, words, environment: ["PATH": "/usr/bin:/bin"]))
    defer { child.stop(grace: .zero) }
    let end = ContinuousClock.now + .seconds(5)
    var text = ""
    while .now < end {
      switch child.next(before: end) {
      case .output(let bytes):
        text += String(decoding: bytes, as: UTF8.self)
        if text.contains("Linux version") { return (.kvm, "KVM runs the kernel") }
      case .ended: return (.emulated, "QEMU refuses KVM")
      default: break
      }
    }
    return (.emulated, "KVM is there and the kernel says nothing in 5 s: it hangs")
  } catch { return (.emulated, "\(error)") }
}
