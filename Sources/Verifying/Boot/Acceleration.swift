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

/// What booting an image needs and this machine does not have; nil when all is there.
public func missingBootProgram() -> String? {
  [Emulator.program, Emulator.imageProgram].first { HostTool.path($0) == nil }
}

/// Whether KVM runs the kernel that images are booted with.
///
/// A toy guest can run where a kernel hangs, so the kernel itself is started, without a disk: it says
/// its version within seconds, or this machine's KVM is of no use.
///
/// - Parameter memory: a file that keeps the answer for as long as kernel, QEMU and this machine's boot are
///   the same.
public func probeAcceleration(
  kernel: FilePath, memory: FilePath
) -> (acceleration: Acceleration, remark: String) {
  guard access("/dev/kvm", R_OK | W_OK) == 0 else { return (.emulated, "no /dev/kvm for us here") }
  guard ["kvm_intel", "kvm_amd"].contains(where: { access("/sys/module/\($0)", F_OK) == 0 }) else {
    return (.emulated, "/dev/kvm is there, but no processor's module for it")
  }
  guard let program = HostTool.path(Emulator.program) else {
    return (.emulated, "there is no QEMU")
  }
  let key = circumstances(kernel: kernel, program: program)
  // An answer that cannot be read or kept is found anew.
  if let text = try? contents(of: memory), let answer = remembered(text, key) { return answer }
  let answer = tryKVM(program, kernel: kernel)
  let text = "\(key)\n\(answer.acceleration.rawValue)\n\(answer.remark)\n"
  try? writeAtomically(Array(text.utf8), to: memory)
  return answer
}

/// The answer in a file of three lines, if it was found under these circumstances.
func remembered(_ text: [UInt8], _ key: String) -> (acceleration: Acceleration, remark: String)? {
  let lines = String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
  guard lines.count == 3, lines[0] == key, let value = Acceleration(rawValue: lines[1]) else {
    return nil
  }
  return (value, lines[2])
}

/// What the answer depends on: the kernel, QEMU, and this boot of the machine.
private func circumstances(kernel: FilePath, program: String) -> String {
  var facts = stat()
  let size = stat(program, &facts) == 0 ? "\(facts.st_size)-\(facts.st_mtim.tv_sec)" : ""
  let kernel = (try? ContentHash(ofFile: kernel).hex) ?? ""  // it was written a moment ago
  let boot = (try? contents(of: "/proc/sys/kernel/random/boot_id")) ?? []  // not in every container
  return "\(kernel) \(size) \(String(decoding: boot, as: UTF8.self).trimmed)"
}

private func tryKVM(
  _ program: String, kernel: FilePath
) -> (acceleration: Acceleration, remark: String) {
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
